// What a worker reports of itself once a second, for people to look at. It is too slow for choosing a worker.

/** Upper bounds of the buckets that response times are counted in. Slower responses fall into one more bucket. */
export const responseBoundsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const

/** Response times since the worker's start, of the requests that were timed. */
export interface ResponseTimes {
  /** Responses in each bucket. */
  readonly counts: readonly number[]
  readonly sumMs: number
}

export interface LoadDetails {
  readonly heapUsedBytes: number
  /** The process aborts at this heap size. */
  readonly heapLimitBytes: number
  /** Delay of the event loop in the last seconds. */
  readonly loopDelay: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
  readonly responses: ResponseTimes
}

/** Has one of the counts fallen? They count since the start, so a report in which one falls is false. */
export function haveFallen(now: ResponseTimes, before: ResponseTimes | undefined): boolean {
  if (before === undefined) return false
  return now.sumMs < before.sumMs || now.counts.some((count, bucket) => count < (before.counts[bucket] ?? 0))
}
