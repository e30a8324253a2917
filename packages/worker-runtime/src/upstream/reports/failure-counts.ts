// Counts the exchanges with upstream servers that failed, by server and reason. The primary adds up what its proxy workers count.

import type { FailureCount } from '../../upstream-messages.ts'
import { MAX_FAILURE_COUNTS } from '../../upstream-messages.ts'
import type { FailureReason } from '../connection/failure.ts'
import type { UpstreamServer } from '../servers/upstream-server.ts'

export class FailureCounts {
  private readonly now: () => number
  /** The one that failed last is at the end. */
  private readonly counts = new Map<string, FailureCount>()

  /** `now`: in ms since 1970. */
  constructor(now: () => number) {
    this.now = now
  }

  /** `server`: undefined if the request got none. `isRetried`: the request was sent again, so its client has seen nothing of the failure. */
  record(reason: FailureReason, server: Pick<UpstreamServer, 'slot' | 'generation'> | undefined, isRetried: boolean): void {
    const { slot = null, generation = 0 } = server ?? {}
    const key = `${slot} ${generation} ${reason}`
    const { failed = 0, retried = 0 } = this.counts.get(key) ?? {}
    this.counts.delete(key)
    this.counts.set(key, {
      ...{ slot, generation, reason, failed: failed + (isRetried ? 0 : 1), retried: retried + (isRetried ? 1 : 0) },
      atMs: this.now(),
    })
    const [oldest] = this.counts.keys()
    if (this.counts.size > MAX_FAILURE_COUNTS && oldest !== undefined) this.counts.delete(oldest)
  }

  get all(): FailureCount[] {
    return [...this.counts.values()]
  }
}
