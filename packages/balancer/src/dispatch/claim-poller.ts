// Flushes hand-offs, and lets go of those that have been claimed. A claim is a word in shared memory that sends no message, so it has to be looked for:
// soon while hand-offs are out, less often when a worker is slow to claim, never when there is none.

import type { Connection } from '@switchyard/handoff'
import type { PoolWorker } from './pool-worker.ts'

const FIRST_POLL_MS = 1
// What a stuck worker has not claimed waits no longer than this for another that is free.
const LAST_POLL_MS = 4
/** While each worker says when its loop turns, and there is more for it than it can take. */
const SIGNALLED_POLL_MS = 10

/** What is done about it is the listener's business, but not within the call: the caller may be in the middle of placing a connection. */
export interface ClaimPollerOptions {
  /** The worker could not receive this one. */
  readonly onReturned: (connection: Connection) => void
  /** The worker had no room and has some now. */
  readonly onRoom: (worker: PoolWorker) => void
  /** The worker has not claimed all that it was offered a while ago. */
  readonly onUnclaimed: (worker: PoolWorker) => void
  /** All workers have been looked at: the moment to act. */
  readonly onPolled: () => void
  /** Does it say that its loop has turned, and nothing is gained by knowing earlier that it has claimed? */
  readonly signalsTurns: (worker: PoolWorker) => boolean
}

export class ClaimPoller {
  private readonly options: ClaimPollerOptions
  private readonly touched = new Set<PoolWorker>()
  private readonly open = new Set<PoolWorker>()
  private timer: NodeJS.Timeout | undefined
  private waitMs = FIRST_POLL_MS

  constructor(options: ClaimPollerOptions) {
    this.options = options
  }

  /** Something was offered to this worker. */
  touch(worker: PoolWorker): void {
    this.touched.add(worker)
  }

  /** Sends what has been offered since the last call. */
  flush(): void {
    if (this.touched.size === 0) return
    this.waitMs = SIGNALLED_POLL_MS
    for (const worker of this.touched) {
      worker.channel.flush()
      this.open.add(worker)
      if (!this.options.signalsTurns(worker)) this.waitMs = FIRST_POLL_MS
    }
    this.touched.clear()
    if (this.timer === undefined) this.timer = setTimeout(this.pollAll, this.waitMs)
  }

  /** Looks at one worker now. */
  settle(worker: PoolWorker): void {
    const { channel } = worker
    const hadRoom = channel.hasRoom
    for (const connection of channel.settle()) this.options.onReturned(connection)
    if (!hadRoom && channel.hasRoom) this.options.onRoom(worker)
  }

  /** The worker is gone. */
  forget(worker: PoolWorker): void {
    this.touched.delete(worker)
    this.open.delete(worker)
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  private readonly pollAll = (): void => {
    this.timer = undefined
    for (const worker of this.open) {
      this.settle(worker)
      if (worker.channel.outstanding > 0) this.options.onUnclaimed(worker)
      if (worker.channel.isSettled) this.open.delete(worker)
    }
    this.options.onPolled()
    this.flush()
    if (this.open.size === 0 || this.timer !== undefined) return
    this.timer = setTimeout(this.pollAll, this.waitMs)
    this.waitMs = Math.min(this.waitMs * 2, LAST_POLL_MS)
  }
}
