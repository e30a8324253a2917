// Requests by route, over all workers since the start. A worker counts in shared memory, and what a worker that is gone has counted stays.

import { MAX_COUNTED_ROUTES, newRouteCounters, ROUTE_COLUMNS, requestResults, responseBoundsMs, routeColumns } from '@switchyard/handoff'
import type { RouteStatus } from '../status.ts'

/** The part of a worker that is read. */
export interface RouteSource {
  /** The routes, as this worker numbers them. */
  readonly routeNames: readonly string[]
  readonly load: { readonly routeCounters: Float64Array }
}

/** Routes with a row of their own. Reloads may bring more; beyond the bound they count as one. */
const MAX_ROUTES = 1000
export const OTHER_ROUTES = '(others)'

const RESULTS_END = routeColumns.results + requestResults.length
const BUCKETS = responseBoundsMs.length + 1
const ABORTED = routeColumns.results + requestResults.indexOf('aborted')

export class RouteTotals {
  /** Counts of workers that are gone. */
  private readonly past = new Map<string, Float64Array>()
  /** The last possible counters of each worker. Workers are not trusted, and a total never falls. */
  private readonly last = new WeakMap<RouteSource, Float64Array>()

  /** The worker has exited. Requests that it had begun and not ended count as aborted. */
  recordGone(worker: RouteSource): void {
    this.add(worker, this.past, true)
  }

  /** The totals of every route that has had a request. `routes`: the routes in force, which are listed in any case, first and in this order. */
  status(routes: readonly string[], workers: Iterable<RouteSource>): Omit<RouteStatus, 'pool'>[] {
    const totals = new Map<string, Float64Array>(routes.map((route) => [route, new Float64Array(ROUTE_COLUMNS)]))
    for (const [route, row] of this.past) addRow(rowOf(totals, route), row, 0)
    for (const worker of workers) this.add(worker, totals, false)
    return [...totals].map(([route, row]) => statusOf(route, row))
  }

  private add(worker: RouteSource, to: Map<string, Float64Array>, isGone: boolean): void {
    const { routeNames } = worker
    const counters = this.checked(worker)
    const count = Math.min(routeNames.length, MAX_COUNTED_ROUTES)
    for (let index = 0; index < count; index++) {
      const at = index * ROUTE_COLUMNS
      if (counters[at] === 0) continue
      const isShared = index === MAX_COUNTED_ROUTES - 1 && routeNames.length > MAX_COUNTED_ROUTES
      const row = rowOf(to, isShared ? OTHER_ROUTES : (routeNames[index] as string))
      addRow(row, counters, at)
      if (isGone) row[ABORTED] = (row[ABORTED] as number) + unfinished(counters, at)
    }
  }

  private checked(worker: RouteSource): Float64Array {
    const { routeCounters: now } = worker.load
    const last = this.last.get(worker) ?? newRouteCounters()
    this.last.set(worker, last)
    for (let at = 0; at < last.length; at += ROUTE_COLUMNS) if (now[at] !== 0 && isPossible(now, last, at)) copyRow(now, last, at)
    return last
  }
}

function copyRow(from: Float64Array, to: Float64Array, at: number): void {
  for (let column = at; column < at + ROUTE_COLUMNS; column++) to[column] = from[column] as number
}

function rowOf(rows: Map<string, Float64Array>, route: string): Float64Array {
  const known = rows.get(route)
  if (known !== undefined) return known
  if (rows.size >= MAX_ROUTES && route !== OTHER_ROUTES) return rowOf(rows, OTHER_ROUTES)
  const row = new Float64Array(ROUTE_COLUMNS)
  rows.set(route, row)
  return row
}

function addRow(row: Float64Array, from: Float64Array, at: number): void {
  for (let column = 0; column < ROUTE_COLUMNS; column++) row[column] = (row[column] as number) + (from[at + column] as number)
}

function unfinished(counters: Float64Array, at: number): number {
  let finished = 0
  for (let column = routeColumns.results; column < RESULTS_END; column++) finished += counters[at + column] as number
  return Math.max(0, (counters[at + routeColumns.begun] as number) - finished)
}

function isPossible(now: Float64Array, last: Float64Array, at: number): boolean {
  for (let column = 0; column < ROUTE_COLUMNS; column++) {
    const value = now[at + column] as number
    if (!(value >= (last[at + column] as number) && value <= Number.MAX_SAFE_INTEGER)) return false
    if (column !== routeColumns.durationSumMs && value % 1 !== 0) return false
  }
  return true
}

function statusOf(route: string, row: Float64Array): Omit<RouteStatus, 'pool'> {
  const results = Object.fromEntries(requestResults.map((result, index) => [result, row[routeColumns.results + index] as number]))
  return {
    route,
    inFlight: unfinished(row, 0),
    results: results as RouteStatus['results'],
    durations: {
      counts: [...row.subarray(routeColumns.buckets, routeColumns.buckets + BUCKETS)],
      sumMs: row[routeColumns.durationSumMs] as number,
    },
  }
}
