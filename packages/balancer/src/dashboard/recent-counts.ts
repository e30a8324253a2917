// What has gone wrong in the last few seconds, for the sentence of health.

import type { RefusalReason } from '../events.ts'
import type { BalancerStatus } from '../status.ts'

interface Counts {
  readonly requests: number
  readonly failed: number
  readonly refused: number
}

/** The balancer's own lack of room. Other refusals are about what clients send. */
const OWN_REASONS: readonly RefusalReason[] = ['too-many-unrouted', 'no-worker', 'queue-full', 'queue-timeout']

export class RecentCounts {
  private readonly samples: number
  private readonly kept: Counts[] = []
  private refused: number | undefined

  /** `samples`: how many of the last samples are summed up. */
  constructor(samples: number) {
    this.samples = samples
  }

  /** `requests` and `failed`: since the last call. The first call counts nothing. Returns the sums. */
  add({ connections }: BalancerStatus, requests: number, failed: number): Counts {
    const refused = OWN_REASONS.reduce((sum, reason) => sum + connections.refused[reason], 0)
    if (this.refused !== undefined) this.kept.push({ requests, failed, refused: Math.max(0, refused - this.refused) })
    this.refused = refused
    if (this.kept.length > this.samples) this.kept.shift()
    const sum = (read: (counts: Counts) => number): number => this.kept.reduce((total, counts) => total + read(counts), 0)
    return { requests: sum((counts) => counts.requests), failed: sum((counts) => counts.failed), refused: sum((counts) => counts.refused) }
  }
}
