// The TLS handshakes of each pool by outcome, as its workers report them. What a worker that is gone has counted stays.

import { type HandshakeOutcome, handshakeOutcomes } from '@switchyard/worker-runtime'
import type { HandshakeStatus } from '../status.ts'

export class HandshakeCounts {
  private readonly pools = new Map<string, number[]>()

  /** `counts`: since the last report of the same worker, one for each outcome. */
  add(pool: string, counts: readonly number[]): void {
    const sums = this.pools.get(pool) ?? new Array<number>(handshakeOutcomes.length).fill(0)
    this.pools.set(
      pool,
      sums.map((sum, index) => sum + (counts[index] ?? 0)),
    )
  }

  /** The pools with a handshake. */
  get list(): HandshakeStatus[] {
    return [...this.pools].map(([pool, counts]) => ({
      pool,
      outcomes: Object.fromEntries(handshakeOutcomes.map((outcome, index) => [outcome, counts[index]])) as Record<HandshakeOutcome, number>,
    }))
  }
}
