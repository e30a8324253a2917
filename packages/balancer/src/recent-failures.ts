// What has gone wrong in the last seconds, by comparing successive statuses: no single status tells it.

import type { RefusalReason } from './events.ts'
import type { BalancerStatus } from './status.ts'

/** The time over which failures are summed up, in seconds. */
export const RECENT_S = 10

/** In the last `RECENT_S` seconds. */
export interface Recent {
  readonly requests: number
  readonly failed: number
  /** Connections that the balancer refused because it had no room or no worker. */
  readonly refused: number
}

interface Sample extends Recent {
  readonly atMs: number
}

/** The balancer's own lack of room. Other refusals are about what clients send. */
const OWN_REASONS: readonly RefusalReason[] = ['too-many-unrouted', 'no-worker', 'queue-full', 'queue-timeout']
/** For a caller that reads too often. */
const MAX_SAMPLES = 200

export class RecentFailures {
  private readonly samples: Sample[] = []
  private refused: number | undefined
  /** Counts of each process: a worker that is gone takes its counts along. */
  private last = new Map<string, { readonly begun: number; readonly failed: number }>()

  /** `nowMs`: rises from call to call. The first status counts nothing, since nothing is known of the time before it. */
  advance({ connections, pools }: Pick<BalancerStatus, 'connections'> & { readonly pools: readonly PoolCounts[] }, nowMs: number): Recent {
    const refused = OWN_REASONS.reduce((sum, reason) => sum + (connections.refused[reason] ?? 0), 0)
    const counted = this.countRequests(pools)
    if (this.refused !== undefined) this.samples.push({ atMs: nowMs, ...counted, refused: Math.max(0, refused - this.refused) })
    this.refused = refused
    while (this.samples.length > MAX_SAMPLES || (this.samples[0]?.atMs ?? nowMs) <= nowMs - RECENT_S * 1000) this.samples.shift()
    const sum = (read: (sample: Sample) => number): number => this.samples.reduce((total, sample) => total + read(sample), 0)
    return { requests: sum((sample) => sample.requests), failed: sum((sample) => sample.failed), refused: sum((sample) => sample.refused) }
  }

  private countRequests(pools: readonly PoolCounts[]): { requests: number; failed: number } {
    const total = { requests: 0, failed: 0 }
    const now: typeof this.last = new Map()
    for (const { name, workers } of pools)
      for (const { slot, pid, begun, failed } of workers) {
        const key = `${name}/${slot} ${pid}`
        const before = this.last.get(key)
        now.set(key, { begun, failed })
        total.requests += Math.max(0, begun - (before?.begun ?? 0))
        total.failed += Math.max(0, failed - (before?.failed ?? 0))
      }
    this.last = now
    return total
  }
}

interface PoolCounts {
  readonly name: string
  readonly workers: readonly { readonly slot: number; readonly pid: number; readonly begun: number; readonly failed: number }[]
}
