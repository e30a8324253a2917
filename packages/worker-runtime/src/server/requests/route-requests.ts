// Counts the requests of this worker by route and result, and measures how long they take. The primary reads the counters in shared memory.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { newRouteCounters, type RequestResult, requestResults, responseBoundsMs, routeColumns, routeRow } from '@switchyard/handoff'

const UPGRADE = routeColumns.results + requestResults.indexOf('upgrade')
const ABORTED = routeColumns.results + requestResults.indexOf('aborted')
/** By the first digit of the status. */
const RESULTS = Array.from({ length: 10 }, (_, digit) => {
  const result = requestResults.indexOf(`${digit}xx` as RequestResult)
  return result === -1 ? ABORTED : routeColumns.results + result
})

export class RouteRequests {
  private counters = newRouteCounters()
  private readonly indexOf: (request: IncomingMessage) => number
  /** Called with each answered request: the number of its route, its duration, and its bucket. */
  onAnswered: ((response: ServerResponse, row: number, ms: number, bucket: number) => void) | undefined

  /** `indexOf`: the number of a request's route. Left out: all requests belong to route 0. */
  constructor(indexOf: (request: IncomingMessage) => number = () => 0) {
    this.indexOf = indexOf
  }

  /** Moves the counts to the counters that the primary reads. */
  publish(counters: Float64Array): void {
    counters.set(this.counters)
    this.counters = counters
  }

  /** A request begins. Returns the number of its route, for `end`. */
  begin(request: IncomingMessage): number {
    const route = this.indexOf(request)
    this.add(routeRow(route) + routeColumns.begun, 1)
    return route
  }

  beginUpgrade(request: IncomingMessage): void {
    this.add(routeRow(this.begin(request)) + UPGRADE, 1)
  }

  /** A request ends. `response` undefined: its connection closed while it waited behind another. */
  end(route: number, response: ServerResponse | undefined, ms: number): void {
    const row = routeRow(route)
    if (response === undefined || !response.writableEnded) return this.add(row + ABORTED, 1)
    const result = RESULTS[(response.statusCode / 100) | 0] ?? ABORTED
    this.add(row + result, 1)
    let bucket = 0
    while (bucket < responseBoundsMs.length && ms > (responseBoundsMs[bucket] as number)) bucket++
    this.add(row + routeColumns.buckets + bucket, 1)
    this.add(row + routeColumns.durationSumMs, ms)
    this.onAnswered?.(response, row, ms, bucket)
  }

  private add(at: number, value: number): void {
    this.counters[at] = (this.counters[at] as number) + value
  }
}
