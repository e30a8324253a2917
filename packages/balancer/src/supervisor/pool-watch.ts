// Watches a pool as a whole: who has reached a limit, who does so much worse than the others that it should get nothing for a while, and how many
// workers there should be.

import type { BalancerEmitter } from '../events.ts'
import { OutlierWatch } from '../pool/outliers.ts'
import type { Pool } from '../pool/pool.ts'
import type { PoolWorker } from '../pool/pool-worker.ts'
import type { PoolSettings } from '../settings.ts'
import { Autoscaler } from './autoscale.ts'
import { jitterOf, limitsReached, residentBytes } from './limits.ts'
import type { RetireReason } from './plan.ts'
import type { WantedPool } from './wanted.ts'

/** Memory is asked of the system. */
const LIMITS_EVERY_MS = 1000

interface Watched {
  readonly outliers: OutlierWatch | undefined
  readonly autoscaler: Autoscaler | undefined
}

export interface PoolWatchOptions {
  readonly events: BalancerEmitter
  readonly retire: (worker: PoolWorker, reason: RetireReason, why: string) => void
  readonly kill: (worker: PoolWorker, why: string) => void
  /** 0 to 1. */
  readonly chance: () => number
}

export class PoolWatch {
  private readonly options: PoolWatchOptions
  private readonly jitters = new WeakMap<PoolWorker, number>()
  private readonly limitsMs = new WeakMap<Pool, number>()
  /** By the settings of its generation: a reload starts afresh. */
  private readonly watched = new WeakMap<PoolSettings, Watched>()

  constructor(options: PoolWatchOptions) {
    this.options = options
  }

  /** To be called several times a second. */
  look(pool: Pool, wanted: WantedPool, nowMs: number): void {
    const { outliers, autoscaler } = this.of(pool.settings)
    if (nowMs - (this.limitsMs.get(pool) ?? 0) >= LIMITS_EVERY_MS) this.holdToLimits(pool, nowMs)
    if (outliers !== undefined) this.judge(outliers, pool, wanted, nowMs)
    if (autoscaler === undefined || wanted.previous !== undefined) return
    const workers = autoscaler.look(pool.workers, wanted.workers, nowMs)
    if (workers === wanted.workers) return
    this.options.events.emit('scaled', { pool: pool.settings.name, from: wanted.workers, to: workers, reason: 'load' })
    wanted.scaleTo(workers)
  }

  private judge(outliers: OutlierWatch, pool: Pool, wanted: WantedPool, nowMs: number): void {
    const ready = [...pool.workers].filter(({ state }) => state === 'ready')
    for (const { id, reason, forMs } of outliers.look(ready, nowMs, wanted.workers)) {
      const worker = ready.find((one) => one.id === id)
      if (worker !== undefined) this.options.events.emit('workerEjected', { ...worker.seat, reason, forMs })
    }
    pool.eject(new Set(ready.filter(({ id }) => outliers.isEjected(id))))
  }

  private holdToLimits(pool: Pool, nowMs: number): void {
    this.limitsMs.set(pool, nowMs)
    const { memory, maxRequests, maxAgeMs } = pool.settings
    if ([memory.softBytes, memory.hardBytes, maxRequests, maxAgeMs].every((limit) => limit === Number.POSITIVE_INFINITY)) return
    const workers = [...pool.workers].filter(({ state }) => state !== 'draining')
    const reached = limitsReached(
      workers.map((worker) => ({
        id: worker.id,
        isRetiring: worker.retiring !== undefined,
        residentBytes: residentBytes(worker.process?.pid ?? 0) ?? worker.load.memoryBytes,
        begun: worker.load.begun,
        ageMs: nowMs - worker.startedMs,
        jitter: this.jitterOf(worker),
      })),
      pool.settings,
    )
    const find = (id: number) => workers.find((worker) => worker.id === id) as PoolWorker
    for (const { id, why } of reached.kill) this.options.kill(find(id), why)
    if (reached.retire !== undefined) this.options.retire(find(reached.retire.id), reached.retire.reason, reached.retire.why)
  }

  private jitterOf(worker: PoolWorker): number {
    const jitter = this.jitters.get(worker) ?? jitterOf(this.options.chance())
    this.jitters.set(worker, jitter)
    return jitter
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
