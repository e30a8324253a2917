// Watches a pool as a whole, in the primary: replaces workers that have reached a limit, ejects outliers for a while, and scales the pool.

import type { BalancerEmitter } from '../../events.ts'
import type { PoolSettings } from '../../settings.ts'
import type { DesiredPool } from '../desired-pool.ts'
import type { RetireReason } from '../plan-input.ts'
import type { PoolWorker } from '../pool-worker.ts'
import type { SupervisedPool } from '../supervised-pool.ts'
import { Autoscaler } from './autoscale.ts'
import { OutlierWatch } from './outliers.ts'
import { isUnlimited, jitterOf, type LimitedWorker, limitsReached, residentBytes } from './recycle-limits.ts'

/** Not at every poll, because reading the memory of each worker costs system calls. */
const LIMITS_POLL_MS = 1000

interface Watched {
  readonly outliers: OutlierWatch | undefined
  readonly autoscaler: Autoscaler | undefined
}

export interface PoolWatchOptions {
  readonly events: BalancerEmitter
  readonly retire: (worker: PoolWorker, reason: RetireReason, why: string) => void
  readonly kill: (worker: PoolWorker, why: string) => void
  /** A random number, 0 to 1. */
  readonly chance: () => number
}

export class PoolWatch {
  private readonly options: PoolWatchOptions
  private readonly jitters = new WeakMap<PoolWorker, number>()
  /** Workers that were above their soft memory limit while they started. */
  private readonly aboveSoftLimit = new WeakSet<PoolWorker>()
  private readonly limitsMs = new WeakMap<SupervisedPool, number>()
  /** By settings, so that a reload starts afresh. */
  private readonly watched = new WeakMap<PoolSettings, Watched>()

  constructor(options: PoolWatchOptions) {
    this.options = options
  }

  /** Call it several times a second. */
  poll(pool: SupervisedPool, desired: DesiredPool, nowMs: number): void {
    const { outliers, autoscaler } = this.watchedOf(pool.settings)
    if (nowMs - (this.limitsMs.get(pool) ?? 0) >= LIMITS_POLL_MS) this.enforceLimits(pool, desired, nowMs)
    if (outliers !== undefined) this.ejectOutliers(outliers, pool, desired, nowMs)
    if (autoscaler === undefined || desired.previous !== undefined) return
    const workers = autoscaler.poll(pool.workers, desired.workers, nowMs)
    if (workers === desired.workers) return
    this.options.events.emit('scaled', { pool: pool.settings.name, from: desired.workers, to: workers, reason: 'load' })
    desired.scaleTo(workers)
  }

  private ejectOutliers(outliers: OutlierWatch, pool: SupervisedPool, desired: DesiredPool, nowMs: number): void {
    const ready = [...pool.workers].filter(({ state }) => state === 'ready')
    for (const { id, reason, forMs } of outliers.poll(ready, nowMs, desired.workers)) {
      const worker = ready.find((one) => one.id === id)
      if (worker !== undefined) this.options.events.emit('workerEjected', { ...worker.workerSlot, reason, forMs })
    }
    pool.eject(new Set(ready.filter(({ id }) => outliers.isEjected(id))))
  }

  private enforceLimits(pool: SupervisedPool, desired: DesiredPool, nowMs: number): void {
    this.limitsMs.set(pool, nowMs)
    const workers = [...pool.workers].filter((worker) => worker.state !== 'draining' && worker.stoppingMs === undefined)
    if (workers.every(({ settings }) => isUnlimited(settings))) return
    const { kill, retire, unfit } = limitsReached(workers.map((worker) => this.limitedWorker(worker, nowMs)))
    const find = (id: number) => workers.find((worker) => worker.id === id) as PoolWorker
    for (const { id, why } of kill) this.options.kill(find(id), why)
    for (const { id, why } of unfit) this.onUnfit(find(id), why, desired)
    const isReplacing = [...pool.workers].some(({ retiring }) => retiring !== undefined)
    if (retire !== undefined && !isReplacing) this.options.retire(find(retire.id), retire.reason, retire.why)
  }

  private limitedWorker(worker: PoolWorker, nowMs: number): LimitedWorker {
    const { id, load, process, settings, startedMs, state } = worker
    return {
      id,
      isStarting: state === 'starting',
      isRetiring: worker.retiring !== undefined,
      residentBytes: residentBytes(process?.pid ?? 0) ?? load.memoryBytes,
      begun: load.begun,
      ageMs: nowMs - startedMs,
      jitter: worker.isOneOff ? 1 : this.jitterOf(worker),
      limits: this.aboveSoftLimit.has(worker)
        ? { ...settings, memory: { ...settings.memory, softBytes: Number.POSITIVE_INFINITY } }
        : settings,
    }
  }

  /** In a reload the worker is killed, so the reload fails. Otherwise it serves: a replacement would be as large. */
  private onUnfit(worker: PoolWorker, why: string, { previous, generation }: DesiredPool): void {
    if (previous !== undefined && worker.generation === generation) return this.options.kill(worker, why)
    this.aboveSoftLimit.add(worker)
    const message = `${why} already at its start. A replacement would be as large, so it stays`
    this.options.events.emit('workerNoticed', { ...worker.workerSlot, level: 'warn', message })
  }

  private jitterOf(worker: PoolWorker): number {
    const jitter = this.jitters.get(worker) ?? jitterOf(this.options.chance())
    this.jitters.set(worker, jitter)
    return jitter
  }

  private watchedOf(settings: PoolSettings): Watched {
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
