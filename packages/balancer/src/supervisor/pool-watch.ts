// Watches a pool as a whole: who has reached a limit, who does so much worse than the others that it should get nothing for a while, and how many
// workers there should be.

import type { BalancerEmitter } from '../events.ts'
import type { PoolSettings } from '../settings.ts'
import { Autoscaler } from './autoscale.ts'
import type { DesiredPool } from './desired-pool.ts'
import { OutlierWatch } from './outliers.ts'
import type { RetireReason } from './plan-input.ts'
import type { PoolWorker } from './pool-worker.ts'
import { isUnlimited, jitterOf, type LimitedWorker, limitsReached, residentBytes } from './recycle-limits.ts'
import type { SupervisedPool } from './supervised-pool.ts'

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
  /** Who was above its soft limit when it came up. */
  private readonly large = new WeakSet<PoolWorker>()
  private readonly limitsMs = new WeakMap<SupervisedPool, number>()
  /** By the settings of its generation: a reload starts afresh. */
  private readonly watched = new WeakMap<PoolSettings, Watched>()

  constructor(options: PoolWatchOptions) {
    this.options = options
  }

  /** To be called several times a second. */
  poll(pool: SupervisedPool, wanted: DesiredPool, nowMs: number): void {
    const { outliers, autoscaler } = this.of(pool.settings)
    if (nowMs - (this.limitsMs.get(pool) ?? 0) >= LIMITS_EVERY_MS) this.holdToLimits(pool, wanted, nowMs)
    if (outliers !== undefined) this.judge(outliers, pool, wanted, nowMs)
    if (autoscaler === undefined || wanted.previous !== undefined) return
    const workers = autoscaler.poll(pool.workers, wanted.workers, nowMs)
    if (workers === wanted.workers) return
    this.options.events.emit('scaled', { pool: pool.settings.name, from: wanted.workers, to: workers, reason: 'load' })
    wanted.scaleTo(workers)
  }

  private judge(outliers: OutlierWatch, pool: SupervisedPool, wanted: DesiredPool, nowMs: number): void {
    const ready = [...pool.workers].filter(({ state }) => state === 'ready')
    for (const { id, reason, forMs } of outliers.poll(ready, nowMs, wanted.workers)) {
      const worker = ready.find((one) => one.id === id)
      if (worker !== undefined) this.options.events.emit('workerEjected', { ...worker.workerSlot, reason, forMs })
    }
    pool.eject(new Set(ready.filter(({ id }) => outliers.isEjected(id))))
  }

  private holdToLimits(pool: SupervisedPool, wanted: DesiredPool, nowMs: number): void {
    this.limitsMs.set(pool, nowMs)
    const workers = [...pool.workers].filter((worker) => worker.state !== 'draining' && worker.stoppingMs === undefined)
    if (workers.every(({ settings }) => isUnlimited(settings))) return
    const { kill, retire, unfit } = limitsReached(workers.map((worker) => this.limited(worker, nowMs)))
    const find = (id: number) => workers.find((worker) => worker.id === id) as PoolWorker
    for (const { id, why } of kill) this.options.kill(find(id), why)
    for (const { id, why } of unfit) this.judgeUnfit(find(id), why, wanted)
    const isReplacing = [...pool.workers].some(({ retiring }) => retiring !== undefined)
    if (retire !== undefined && !isReplacing) this.options.retire(find(retire.id), retire.reason, retire.why)
  }

  private limited(worker: PoolWorker, nowMs: number): LimitedWorker {
    const { id, load, process, settings, startedMs, state } = worker
    return {
      id,
      isComingUp: state === 'starting',
      isRetiring: worker.retiring !== undefined,
      residentBytes: residentBytes(process?.pid ?? 0) ?? load.memoryBytes,
      begun: load.begun,
      ageMs: nowMs - startedMs,
      jitter: this.jitterOf(worker),
      limits: this.large.has(worker) ? { ...settings, memory: { ...settings.memory, softBytes: Number.POSITIVE_INFINITY } } : settings,
    }
  }

  /** A deploy fails with it. Otherwise it serves: another would be no smaller. */
  private judgeUnfit(worker: PoolWorker, why: string, { previous, generation }: DesiredPool): void {
    if (previous !== undefined && worker.generation === generation) return this.options.kill(worker, why)
    this.large.add(worker)
    const message = `${why} from its start on: it is not replaced for that`
    this.options.events.emit('workerNoticed', { ...worker.workerSlot, level: 'warn', message })
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
