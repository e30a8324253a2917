// The last values of one row of `balancer top`: a worker, a route, or the balancer as a whole.

import { responseBoundsMs } from '@switchyard/handoff'

/** Values of a sparkline that are kept. */
export const KEPT = 120
/** Quantiles are of the responses in so many of the last samples. */
const QUANTILE_SAMPLES = 10

export const METRICS = ['rate', 'p99', 'loop', 'wait', 'queue'] as const
export type Metric = (typeof METRICS)[number]

/**
 * Present values; undefined: unknown, or none. `rate`: requests in a second. `loop`: share of time that the event loop was busy. `wait`: 99th percentile of the
 * waits in the queue, in ms. `queue`: requests in flight.
 */
export type Values = Readonly<Record<Metric, number | undefined>>
export type Series = Readonly<Record<Metric, readonly (number | undefined)[]>>

/** Counts of responses by bucket, in the last samples. */
export class RecentBuckets {
  private last: readonly number[] | undefined
  private readonly deltas: (readonly number[])[] = []

  /** Takes in counts since a start; undefined: there are none. Returns those of the last samples. */
  record(counts: readonly number[] | undefined): readonly number[] {
    const { last } = this
    if (counts !== undefined) {
      this.last = counts
      // Before the first sample nothing is known of the time.
      this.deltas.push(counts.map((count, bucket) => (last === undefined ? 0 : Math.max(0, count - (last[bucket] ?? 0)))))
    }
    while (this.deltas.length > QUANTILE_SAMPLES) this.deltas.shift()
    return sumOf(this.deltas)
  }
}

export class Track {
  readonly series: Record<Metric, (number | undefined)[]> = { rate: [], p99: [], loop: [], wait: [], queue: [] }
  readonly responses = new RecentBuckets()
  private readonly lastCounts = new Map<string, number>()

  /** The increase of a count since the last sample; undefined at the first. */
  increase(name: string, count: number): number | undefined {
    const last = this.lastCounts.get(name)
    this.lastCounts.set(name, count)
    return last === undefined ? undefined : count - last
  }

  push(values: Values): void {
    for (const name of METRICS) {
      const list = this.series[name]
      list.push(values[name])
      if (list.length > KEPT) list.shift()
    }
  }
}

export function sumOf(lists: readonly (readonly number[])[]): readonly number[] {
  const sum: number[] = new Array(responseBoundsMs.length + 1).fill(0)
  for (const list of lists) for (const [bucket, count] of list.entries()) sum[bucket] = (sum[bucket] ?? 0) + count
  return sum
}
