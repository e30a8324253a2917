// What is wanted of one pool: how many workers, of which generation, and what each generation runs. Operations change it, the plan reads it.

import type { PoolSettings } from '../settings.ts'
import type { PoolTarget } from './plan-input.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { SharedStart } from './workers/worker-start.ts'

/** What the workers of one generation run, and what they are told of routes. */
export interface PoolVersion {
  readonly settings: PoolSettings
  readonly startTimeoutMs: number
  readonly shared: SharedStart
}

/** Beyond this a worker is of a generation that nobody asks for any more. */
const REMEMBERED_VERSIONS = 3

export class DesiredPool implements PoolTarget {
  readonly name: string
  readonly held = new Set<number>()
  readonly broken = new Set<number>()
  workers: number
  generation: number
  previous: number | undefined
  replaced = false
  failure: string | undefined
  /** Since when nobody serves, and every seat is broken. */
  outageSinceMs: number | undefined
  /** Why the last reload came to nothing; undefined: it did not, or another has begun. */
  reverted: string | undefined
  private latest: number
  private workersBefore = 0
  private workersAfter: number
  private readonly versions = new Map<number, PoolVersion>()

  /** `generation`: its first; a successor of another primary goes on where that was. */
  constructor(version: PoolVersion, generation = 0) {
    this.name = version.settings.name
    this.workers = version.settings.workers
    this.workersAfter = this.workers
    this.generation = generation
    this.latest = generation
    this.versions.set(generation, version)
  }

  /** A pool that a reload adds: if that fails it has no workers. */
  static added(version: PoolVersion): DesiredPool {
    const pool = new DesiredPool(version)
    pool.previous = -1
    return pool
  }

  /** Of the wanted generation. */
  get version(): PoolVersion {
    return this.versionOf(this.generation)
  }

  /** The highest generation that there has been. */
  get latestGeneration(): number {
    return this.latest
  }

  get maxSurge(): number {
    return this.version.settings.reload.maxSurge
  }

  get isInOutage(): boolean {
    return this.outageSinceMs !== undefined
  }

  get settleMs(): number {
    return this.version.settings.reload.settleMs
  }

  get startTimeoutMs(): number {
    return this.version.startTimeoutMs
  }

  /** Has every slot the worker that it should have, and is no other worker left? `workers`: all of this pool. */
  isMetBy(workers: readonly Pick<PoolWorker, 'slot' | 'generation' | 'state'>[]): boolean {
    for (let slot = 0; slot < this.workers; slot++) {
      if (this.held.has(slot) || this.broken.has(slot)) continue
      if (!workers.some((worker) => worker.slot === slot && worker.state === 'ready')) return false
    }
    return workers.every(({ slot, generation }) => slot < this.workers && generation === this.generation)
  }

  versionOf(generation: number): PoolVersion {
    return this.versions.get(generation) ?? (this.versions.get(this.latest) as PoolVersion)
  }

  /** A new generation is wanted. Its config may ask for another number of workers; one that was changed meanwhile by hand stays if the config has not changed it. */
  beginReload(version: PoolVersion): void {
    const before = this.version.settings.workers
    this.workersBefore = this.workers
    this.previous = this.generation
    this.failure = undefined
    this.replaced = false
    this.reverted = undefined
    this.latest++
    this.generation = this.latest
    this.versions.set(this.generation, version)
    for (const old of this.versions.keys()) if (this.versions.size > REMEMBERED_VERSIONS && old !== this.previous) this.versions.delete(old)
    this.workersAfter = version.settings.workers === before ? this.workers : version.settings.workers
    // Fewer only when it has succeeded.
    this.workers = Math.max(this.workers, this.workersAfter)
    this.broken.clear()
  }

  /** Another number of workers, whatever becomes of a reload. */
  scaleTo(workers: number): void {
    this.workers = workers
    this.workersBefore = workers
    this.workersAfter = workers
  }

  /** The new generation has failed, here or in another pool: the one before is wanted again, and numbers are never used twice. */
  revert(why: string): void {
    if (this.previous === undefined) return
    this.reverted = why
    this.generation = this.previous
    this.workers = this.workersBefore
    this.previous = undefined
    this.failure = undefined
  }

  /** The new generation has taken the place of the one before, in all pools: there is no way back but a rollback. */
  complete(): void {
    this.workers = this.workersAfter
    this.previous = undefined
    this.failure = undefined
  }
}
