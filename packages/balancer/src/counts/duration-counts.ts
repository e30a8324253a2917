// Counts durations in buckets, for a histogram.

import { type ResponseTimes, responseBoundsMs } from '@switchyard/handoff'

export class DurationCounts {
  private readonly counts: number[] = new Array(responseBoundsMs.length + 1).fill(0)
  private sumMs = 0

  /** A negative duration, after a change of the clock, counts as 0. */
  record(ms: number): void {
    let bucket = 0
    while (bucket < responseBoundsMs.length && ms > (responseBoundsMs[bucket] as number)) bucket++
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sumMs += Math.max(0, ms)
  }

  read(): ResponseTimes {
    return { counts: [...this.counts], sumMs: this.sumMs }
  }
}
