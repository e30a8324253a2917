// Chooses the worker of a spread stream: the one with the fewest requests, counting those that were placed a moment ago and have not begun yet.

import type { PoolWorker } from '../supervisor/pool-worker.ts'

/** A request that has not begun after this time never will. */
const FORGET_MS = 1000

/** Requests that were placed at one worker. */
interface Placed {
  count: number
  /** Requests that it had begun then. */
  begun: number
  lastMs: number
}

export class SpreadCounts {
  private readonly placed = new WeakMap<PoolWorker, Placed>()

  /** Undefined: there is no candidate. Of equals it is `asker`, which needs no forward, else the first. */
  choose(candidates: readonly PoolWorker[], asker: PoolWorker, nowMs: number): PoolWorker | undefined {
    let best: PoolWorker | undefined
    let least = Number.POSITIVE_INFINITY
    for (const worker of candidates) {
      const expected = worker.load.inFlight + this.onTheWay(worker, nowMs)
      if (expected > least || (expected === least && worker !== asker)) continue
      best = worker
      least = expected
    }
    if (best !== undefined) this.record(best, nowMs)
    return best
  }

  private onTheWay(worker: PoolWorker, nowMs: number): number {
    const placed = this.placed.get(worker)
    if (placed === undefined || nowMs - placed.lastMs > FORGET_MS) return 0
    return Math.max(0, placed.count - ((worker.load.begun - placed.begun) >>> 0))
  }

  private record(worker: PoolWorker, nowMs: number): void {
    const count = this.onTheWay(worker, nowMs) + 1
    this.placed.set(worker, { count, begun: worker.load.begun, lastMs: nowMs })
  }
}
