// A pool, as the supervisor sees it: its workers, and what must happen when they change. Dispatch implements it.

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
