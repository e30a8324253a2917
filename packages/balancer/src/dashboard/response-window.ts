// Response times of the last few samples, from the histograms that workers report once a second.

import { responseBoundsMs } from '@switchyard/handoff'
import type { BalancerStatus, PoolStatus } from '../status.ts'

type Counts = readonly number[]

/** Quantiles over the responses of the last `samples` samples. A worker times one request in eight. */
export class ResponseWindow {
  private readonly samples: number
  /** The latest counts of each process. */
  private last = new Map<string, Counts>()
  /** What each sample added, the oldest first. */
  private readonly added: number[][] = []

  constructor(samples: number) {
    this.samples = samples
  }

  add(status: Pick<BalancerStatus, 'pools'>): void {
    const isFirst = this.last.size === 0
    const now = new Map<string, Counts>()
    const total = new Array<number>(responseBoundsMs.length + 1).fill(0)
    for (const pool of status.pools) addPool(pool, this.last, now, total)
    this.last = now
    // The first sample would hold everything since the start of the workers.
    if (!isFirst) this.added.push(total)
    if (this.added.length > this.samples) this.added.shift()
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

function addPool({ name, workers }: PoolStatus, last: ReadonlyMap<string, Counts>, now: Map<string, Counts>, total: number[]): void {
  for (const { slot, pid, details } of workers) {
    if (details === null) continue
    const key = `${name} ${slot} ${pid}`
    const { counts } = details.responses
    const before = last.get(key)
    now.set(key, counts)
    total.forEach((sum, bucket) => {
      total[bucket] = sum + Math.max(0, (counts[bucket] ?? 0) - (before?.[bucket] ?? 0))
    })
  }
}
