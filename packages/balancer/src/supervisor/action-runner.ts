// Carries out what the plan has decided: each action goes to the part of the supervisor that owns it.

import type { BalancerEmitter } from '../events.ts'
import type { DesiredPool } from './desired-pool.ts'
import type { Drains } from './drains.ts'
import type { Outages } from './outages.ts'
import type { Action } from './plan.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { SlotHistory } from './slot-history.ts'
import type { WorkerWatch } from './watch/worker-watch.ts'
import type { WorkerLifecycle } from './worker-lifecycle.ts'

export interface ActionRunnerOptions {
  readonly events: BalancerEmitter
  readonly desiredOf: (pool: string) => DesiredPool
  readonly workers: () => Iterable<PoolWorker>
  readonly history: SlotHistory
  readonly lifecycle: WorkerLifecycle
  readonly drains: Drains
  readonly outages: Outages
  readonly watch: WorkerWatch
}

export class ActionRunner {
  private readonly options: ActionRunnerOptions

  constructor(options: ActionRunnerOptions) {
    this.options = options
  }

  /** `isAtOnce`: a draining worker gets no time to move its connections. */
  run(action: Action, now: number, isAtOnce: boolean): void {
    const { desiredOf, lifecycle, drains, outages, watch } = this.options
    switch (action.do) {
      case 'start':
        desiredOf(action.workerSlot.pool).due.delete(action.workerSlot.slot)
        return lifecycle.start(action.workerSlot, action.generation, now)
      case 'admit':
        return this.withWorker(action.id, (worker) => lifecycle.admit(worker, now))
      case 'drain':
        return this.withWorker(action.id, (worker) => {
          drains.begin(worker, now, isAtOnce ? 0 : worker.settings.drainSpreadMs)
        })
      case 'seal':
        return this.withWorker(action.id, (worker) => drains.seal(worker))
      case 'stop':
        return this.withWorker(action.id, (worker) => lifecycle.stop(worker, now))
      case 'kill':
        return this.withWorker(action.id, (worker) => lifecycle.kill(worker, action.why))
      case 'kill-late':
        return this.withWorker(action.id, (worker) => lifecycle.kill(worker, watch.whyLate(worker, action.afterMs)))
      case 'break':
        return this.breakSlot(action.workerSlot)
      case 'give-up':
        return outages.giveUp(desiredOf(action.pool))
      case 'begin-outage':
        return outages.begin(desiredOf(action.pool), now)
      case 'revert':
        return desiredOf(action.pool).revert(action.why)
      case 'record-replaced':
        desiredOf(action.pool).replaced = true
    }
  }

  private breakSlot(workerSlot: { readonly pool: string; readonly slot: number }): void {
    const { events, desiredOf, history } = this.options
    desiredOf(workerSlot.pool).broken.add(workerSlot.slot)
    events.emit('seatBroken', { ...workerSlot, failures: history.history(workerSlot)?.failures ?? 0 })
  }

  private withWorker(id: number, then: (worker: PoolWorker) => void): void {
    for (const worker of this.options.workers()) if (worker.id === id) return then(worker)
  }
}
