// Watches a pool as a whole: who does so much worse than the others that it should get nothing for a while, and how many workers there should be.

import type { BalancerEmitter } from '../events.ts'
import { OutlierWatch } from '../pool/outliers.ts'
import type { Pool } from '../pool/pool.ts'
import type { PoolSettings } from '../settings.ts'
import { Autoscaler } from './autoscale.ts'
import type { WantedPool } from './wanted.ts'

interface Watched {
  readonly outliers: OutlierWatch | undefined
  readonly autoscaler: Autoscaler | undefined
}

export class PoolWatch {
  private readonly events: BalancerEmitter
  /** By the settings of its generation: a reload starts afresh. */
  private readonly watched = new WeakMap<PoolSettings, Watched>()

  constructor(events: BalancerEmitter) {
    this.events = events
  }

  /** To be called several times a second. */
  look(pool: Pool, wanted: WantedPool, nowMs: number): void {
    const { outliers, autoscaler } = this.of(pool.settings)
    if (outliers !== undefined) this.judge(outliers, pool, wanted, nowMs)
    if (autoscaler === undefined || wanted.previous !== undefined) return
    const workers = autoscaler.look(pool.workers, wanted.workers, nowMs)
    if (workers === wanted.workers) return
    this.events.emit('scaled', { pool: pool.settings.name, from: wanted.workers, to: workers, reason: 'load' })
    wanted.scaleTo(workers)
  }

  private judge(outliers: OutlierWatch, pool: Pool, wanted: WantedPool, nowMs: number): void {
    const ready = [...pool.workers].filter(({ state }) => state === 'ready')
    for (const { id, reason, forMs } of outliers.look(ready, nowMs, wanted.workers)) {
      const worker = ready.find((one) => one.id === id)
      if (worker !== undefined) this.events.emit('workerEjected', { ...worker.seat, reason, forMs })
    }
    pool.eject(new Set(ready.filter(({ id }) => outliers.isEjected(id))))
  }

  private of(settings: PoolSettings): Watched {
    const known = this.watched.get(settings)
    if (known !== undefined) return known
    const watched = {
      outliers: settings.outliers && new OutlierWatch(settings.outliers),
      autoscaler: settings.autoscale && new Autoscaler(settings.autoscale),
    }
    this.watched.set(settings, watched)
    return watched
  }
}
