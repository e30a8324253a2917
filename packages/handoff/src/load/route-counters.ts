// What a worker counts by route. The counters stand behind the words of its row, so that they are exact and outlive a worker that is killed.
// The worker writes them. Each is a double, which holds whole numbers up to 2^53 and is written and read in one piece.

import { responseBoundsMs } from './load-details.ts'
import { ROW_WORDS, WORD_BYTES } from './shared-page.ts'

/** Routes with counters of their own. All further routes share the last row. */
export const MAX_COUNTED_ROUTES = 64
/** Doubles of one route. */
export const ROUTE_COLUMNS = 24

/** How a request ended. `upgrade`: it asked for another protocol. `aborted`: its connection closed before the app had answered. */
export const requestResults = ['2xx', '3xx', '4xx', '5xx', 'upgrade', 'aborted'] as const

export type RequestResult = (typeof requestResults)[number]

/** The columns of a route. */
export const routeColumns = {
  begun: 0,
  /** One for each of `requestResults`. */
  results: 1,
  /** Durations of answered requests: one for each of `responseBoundsMs`, last those above every bound. */
  buckets: 1 + requestResults.length,
  durationSumMs: 1 + requestResults.length + responseBoundsMs.length + 1,
} as const

const USED_COLUMNS = routeColumns.durationSumMs + 1

/** Makes counters outside of a shared page. */
export function newRouteCounters(): Float64Array {
  return new Float64Array(MAX_COUNTED_ROUTES * ROUTE_COLUMNS)
}

/** The counters behind the words of a row. */
export function routeCountersOf(words: Int32Array): Float64Array {
  const first = words.byteOffset + ROW_WORDS * WORD_BYTES
  return new Float64Array(words.buffer, first, MAX_COUNTED_ROUTES * ROUTE_COLUMNS)
}

/** Where the row of a route begins. */
export function routeRow(index: number): number {
  return Math.min(index, MAX_COUNTED_ROUTES - 1) * ROUTE_COLUMNS
}

/** The rows that have counted something, as numbers for a message: the place of each row, then its columns. */
export function packRouteCounters(counters: Float64Array): number[] {
  const packed: number[] = []
  for (let row = 0; row < counters.length; row += ROUTE_COLUMNS) {
    if (counters[row] !== 0) packed.push(row, ...counters.subarray(row, row + USED_COLUMNS))
  }
  return packed
}

/** Writes what `packRouteCounters` has packed. Impossible places are ignored. */
export function unpackRouteCounters(packed: readonly number[], counters: Float64Array): void {
  for (let at = 0; at + USED_COLUMNS < packed.length; at += USED_COLUMNS + 1) {
    const row = packed[at] as number
    if (row % ROUTE_COLUMNS !== 0 || row < 0 || row >= counters.length) continue
    counters.set(packed.slice(at + 1, at + 1 + USED_COLUMNS), row)
  }
}
