// Applies changes of the candidates while connections wait or are on their way: workers come and go, servers open and close, a reload brings other routes.

import type { Connection } from '@switchyard/handoff'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { ActiveRoutes } from './bound-routes.ts'
import type { ClaimPoller } from './claim-poller.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Pool } from './pool.ts'
import type { Queued } from './queue.ts'
import type { QueueRunner } from './queue-runner.ts'
import type { Recall } from './recall.ts'

export interface PoolChangesOptions {
  readonly dispatcher: Dispatcher
  readonly routes: ActiveRoutes
  readonly pools: ReadonlyMap<string, Pool>
  readonly claims: ClaimPoller
  readonly queues: QueueRunner
  readonly recall: Recall
}

export class PoolChanges {
  private readonly options: PoolChangesOptions

  constructor(options: PoolChangesOptions) {
    this.options = options
  }

  workerReady(worker: PoolWorker): void {
    const pool = this.options.routes.poolOf(worker)
    pool.refresh()
    this.placeQueued(pool)
  }

  /** `listeners`: numbers of all listeners that the app of the worker's pool has asked for. */
  serversChanged(worker: PoolWorker, listeners: readonly number[]): void {
    const pool = this.options.routes.poolOf(worker)
    pool.listensOn(listeners)
    this.placeQueued(pool)
  }

  workerDraining(worker: PoolWorker): void {
    this.options.claims.poll(worker)
    this.options.dispatcher.placeReturned()
  }

  /** The worker's process is gone. Connections that it had not claimed are placed again: their bytes are still in the kernel. Returns how many these were. */
  workerGone(worker: PoolWorker): number {
    const { claims, recall, routes, dispatcher } = this.options
    recall.forget(routes.poolOf(worker), worker)
    worker.channel.readAll()
    const unclaimed = worker.channel.takeBack()
    worker.channel.close()
    claims.remove(worker, unclaimed)
    dispatcher.placeReturned()
    claims.flush()
    return unclaimed.length
  }

  /** Recalls everything that these workers have not claimed, and hands it off again. */
  recallAll(workers: Iterable<PoolWorker>): void {
    const { claims, dispatcher, recall } = this.options
    for (const worker of workers) recall.all(worker, (connection: Connection) => dispatcher.readmit(connection, 'recalled'))
    claims.flush()
  }

  /** Places connections again whose pool no route names any more. */
  placeAgain(taken: readonly Queued[]): void {
    const { dispatcher, queues } = this.options
    for (const queued of taken) {
      const wait = dispatcher.placeQueued(queued)
      if (wait !== undefined) queues.add(wait, queued.arrival, queued.sinceMs)
    }
    dispatcher.placeReturned()
  }

  /** The routes have changed, so queued connections may find a worker. */
  placeAll(): void {
    for (const pool of this.options.pools.values()) this.options.queues.run(pool)
    this.options.dispatcher.placeReturned()
  }

  private placeQueued(pool: Pool): void {
    this.options.queues.run(pool)
    this.options.dispatcher.placeReturned()
  }
}
