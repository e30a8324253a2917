// Remembers for each bucket of a route's durations the trace of its last request, where the request names one (W3C Trace Context, traceparent).

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RouteExemplar } from '../metric-messages.ts'
import type { RouteRequests } from '../server/requests/route-requests.ts'

const NAME = 'traceparent'
/** Version 00, with a trace id and a span id that are not 0, and the flag that says that the trace is recorded. */
const TRACEPARENT = /^00-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f][13579bdf]$/

export class RouteExemplars {
  /** By row and bucket, so the number of routes and buckets bounds it. */
  private readonly last = new Map<number, RouteExemplar>()
  private readonly routes: RouteRequests

  constructor(routes: RouteRequests) {
    this.routes = routes
  }

  /** Starts to look at requests. */
  start(): void {
    this.routes.onAnswered = (response, row, ms, bucket) => this.record(response, row, ms, bucket)
  }

  stop(): void {
    this.routes.onAnswered = undefined
    this.last.clear()
  }

  /** The exemplars since the last call. */
  take(): readonly RouteExemplar[] {
    const taken = [...this.last.values()]
    this.last.clear()
    return taken
  }

  private record({ req }: ServerResponse & { readonly req?: IncomingMessage }, row: number, ms: number, bucket: number): void {
    const field = req && traceParentOf(req.rawHeaders)
    const [, trace, span] = (field !== undefined && TRACEPARENT.exec(field)) || []
    if (trace === undefined) return
    const labels = `span_id="${span}",trace_id="${trace}"`
    this.last.set(row * 64 + bucket, { row, bucket, labels, value: ms / 1000, timestampS: Date.now() / 1000 })
  }
}

/** The field of the request; undefined: there is none, or more than one. Node's object of all fields takes much longer to make, and most apps never ask for it. */
function traceParentOf(rawHeaders: readonly string[]): string | undefined {
  let found: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (name.length !== NAME.length || (name !== NAME && name.toLowerCase() !== NAME)) continue
    if (found !== undefined) return undefined
    found = rawHeaders[at + 1]
  }
  return found
}
