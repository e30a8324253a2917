// What a worker tells of itself once a second: too slow to choose by, and what people want to see.

/** Upper bounds of the buckets that response times are counted in; what takes longer has one bucket more. */
export const responseBoundsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const

/** Response times since the worker's start, of those requests that were timed. */
export interface ResponseTimes {
  /** How many fell into each bucket. */
  readonly counts: readonly number[]
  readonly sumMs: number
}

export interface LoadDetails {
  readonly heapUsedBytes: number
  /** Where the process gives up. */
  readonly heapLimitBytes: number
  /** How late the event loop was in the last seconds: half of the time no more than `p50Ms`. */
  readonly loopDelay: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
  readonly responses: ResponseTimes
}

/** Counts since the start never fall: who says so lies. */
export function haveFallen(now: ResponseTimes, before: ResponseTimes | undefined): boolean {
  if (before === undefined) return false
  return now.sumMs < before.sumMs || now.counts.some((count, bucket) => count < (before.counts[bucket] ?? 0))
}
