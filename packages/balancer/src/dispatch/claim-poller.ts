// Sends hand-offs to workers and finds out what became of them. A claim is a word in shared memory that sends no message, so the primary polls it:
// soon while hand-offs are out, less often when a worker is slow to claim, never when none is out.

import type { Connection } from '@switchyard/handoff'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { Pool } from './pool.ts'

const FIRST_POLL_MS = 1
/** Longest interval. It bounds how long an unclaimed hand-off waits at a stuck worker before another worker can have it. */
const LAST_POLL_MS = 4
/** Interval while every worker signals its loop turns anyway, and more connections wait than the workers can take. */
const SIGNALLED_POLL_MS = 10

export interface ClaimPollerListener {
  /** Every worker with hand-offs has been polled: `slow` workers have not claimed all of theirs. */
  onPolled(slow: readonly PoolWorker[]): void
}

export class ClaimPoller {
  private readonly poolOf: (worker: PoolWorker) => Pool
  private readonly unsent = new Set<PoolWorker>()
  private readonly open = new Set<PoolWorker>()
  /** Connections that a worker could not receive, until `takeReturned`. */
  private readonly returned: Connection[] = []
  /** Pools with a worker that had no room and has some, until `takeRoomy`. */
  private readonly roomy = new Set<Pool>()
  private listener: ClaimPollerListener | undefined
  private timer: NodeJS.Timeout | undefined
  private waitMs = FIRST_POLL_MS

  constructor(poolOf: (worker: PoolWorker) => Pool) {
    this.poolOf = poolOf
  }

  start(listener: ClaimPollerListener): void {
    this.listener = listener
  }

  /** Records that a hand-off or an answer for this worker waits for `flush`. */
  touch(worker: PoolWorker): void {
    this.unsent.add(worker)
  }

  /** Sends everything since the last call, in one batch for each worker. */
  flush(): void {
    if (this.unsent.size === 0) return
    this.waitMs = SIGNALLED_POLL_MS
    for (const worker of this.unsent) {
      worker.channel.flush()
      this.open.add(worker)
      // The workers of a saturated pool signal their turns anyway.
      if (!this.poolOf(worker).isSaturated) this.waitMs = FIRST_POLL_MS
    }
    this.unsent.clear()
    if (this.timer === undefined) this.timer = setTimeout(this.pollAll, this.waitMs)
  }

  /** Polls one worker now. What it returns and the room it has are kept for `takeReturned` and `takeRoomy`: the caller may be placing a connection. */
  poll(worker: PoolWorker): void {
    const { channel } = worker
    const hadRoom = channel.hasRoom
    this.returned.push(...channel.settle())
    if (!hadRoom && channel.hasRoom) this.roomy.add(this.poolOf(worker))
  }

  /** The worker's process is gone. `unclaimed`: hand-offs that come back from it. */
  remove(worker: PoolWorker, unclaimed: readonly Connection[]): void {
    this.unsent.delete(worker)
    this.open.delete(worker)
    this.returned.push(...unclaimed)
  }

  /** Has anything come back, or a worker room again, that was not taken yet? */
  get hasNews(): boolean {
    return this.returned.length > 0 || this.roomy.size > 0
  }

  /** The connections that have come back since the last call; they are the caller's. */
  takeReturned(): readonly Connection[] {
    return this.returned.splice(0)
  }

  /** The pools in which a worker has room again since the last call. */
  takeRoomy(): readonly Pool[] {
    const pools = [...this.roomy]
    this.roomy.clear()
    return pools
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  private readonly pollAll = (): void => {
    this.timer = undefined
    const slow: PoolWorker[] = []
    for (const worker of this.open) {
      this.poll(worker)
      if (worker.channel.outstanding > 0) slow.push(worker)
      if (worker.channel.isSettled) this.open.delete(worker)
    }
    this.listener?.onPolled(slow)
    this.flush()
    if (this.open.size === 0 || this.timer !== undefined) return
    this.timer = setTimeout(this.pollAll, this.waitMs)
    this.waitMs = Math.min(this.waitMs * 2, LAST_POLL_MS)
  }
}
