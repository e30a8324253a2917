// What the supervisor needs of the rest: pools, as it sees them (dispatch implements them), and a listener.

import type { BalancerError } from '../errors.ts'
import type { PoolSettings } from '../settings.ts'
import type { PoolWorker } from './pool-worker.ts'

export interface SupervisedPool {
  readonly settings: PoolSettings
  /** All processes that are not gone. */
  readonly workers: ReadonlySet<PoolWorker>
  readonly readyCount: number
  /** When the next worker starts, if a start is due. */
  nextStartMs: number | undefined
  add(worker: PoolWorker): void
  remove(worker: PoolWorker): void
  /** The state of a worker has changed. */
  refresh(): void
  /** These workers get nothing new until the next call. */
  eject(workers: ReadonlySet<PoolWorker>): void
}

/** Acts on what becomes of the workers. */
export interface SupervisorListener {
  /** The worker may have connections now. */
  readonly onReady: (worker: PoolWorker) => void
  /** The worker takes nothing new from here on. */
  readonly onDraining: (worker: PoolWorker) => void
  /** The process is gone. Its hand-offs have still to be taken back. */
  readonly onGone: (worker: PoolWorker) => void
  /** The balancer can't go on. */
  readonly onFailed: (error: BalancerError) => void
}
