// Response times of the last few samples, from the histograms that workers report once a second.

import { responseBoundsMs } from '@switchyard/handoff'
import type { BalancerStatus, WorkerStatus } from '../status.ts'

type Counts = readonly number[]

/** Quantiles over the responses of the last `samples` samples. A worker times one request in eight. */
export class ResponseWindow {
  private readonly samples: number
  /** The latest counts of each process. */
  private last: ReadonlyMap<string, Counts> = new Map()
  private hasBegun = false
  /** What each sample added, the oldest first. */
  private readonly added: number[][] = []

  constructor(samples: number) {
    this.samples = samples
  }

  /** Takes in the counts of every worker. */
  add({ pools }: Pick<BalancerStatus, 'pools'>): void {
    this.addCounts(pools.flatMap(({ name, workers }) => workers.flatMap((worker) => countsOf(name, worker))))
  }

  /** Takes in counts since a start, each under the name of what has counted. Counts that are new since the last time count in full. */
  addCounts(entries: readonly (readonly [name: string, counts: Counts])[]): void {
    const isFirst = !this.hasBegun
    this.hasBegun = true
    const total = new Array<number>(responseBoundsMs.length + 1).fill(0)
    for (const [name, counts] of entries) {
      const before = this.last.get(name)
      for (const bucket of total.keys())
        total[bucket] = (total[bucket] as number) + Math.max(0, (counts[bucket] ?? 0) - (before?.[bucket] ?? 0))
    }
    this.last = new Map(entries)
    // The first sample would hold everything since the start of the workers.
    if (!isFirst) this.added.push(total)
    if (this.added.length > this.samples) this.added.shift()
  }

  /** Median and 99th percentile, rounded; null: there was no response. */
  quantiles(): { p50Ms: number | null; p99Ms: number | null } {
    const of = (share: number): number | null => {
      const ms = this.quantileMs(share)
      return ms === undefined ? null : Math.round(ms * 1000) / 1000
    }
    return { p50Ms: of(0.5), p99Ms: of(0.99) }
  }

  /** In ms, by linear interpolation within a bucket; undefined: there was no response. */
  quantileMs(share: number): number | undefined {
    const sums = [...responseBoundsMs, 0].map((_, bucket) => this.added.reduce((sum, counts) => sum + (counts[bucket] ?? 0), 0))
    const total = sums.reduce((sum, count) => sum + count, 0)
    if (total === 0) return undefined
    let left = share * total
    for (const [bucket, count] of sums.entries()) {
      if (count >= left && count > 0) {
        const from = bucket === 0 ? 0 : (responseBoundsMs[bucket - 1] as number)
        const to = responseBoundsMs[bucket] ?? from
        return from + (to - from) * (left / count)
      }
      left -= count
    }
    return responseBoundsMs.at(-1)
  }
}

function countsOf(pool: string, { slot, pid, details }: WorkerStatus): [string, Counts][] {
  return details === null ? [] : [[`${pool} ${slot} ${pid}`, details.responses.counts]]
}
