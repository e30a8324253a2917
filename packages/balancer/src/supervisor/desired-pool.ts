// The desired state of one pool: how many workers, of which generation, and what each generation runs. Operations change it, the plan reads it.

import type { PoolSettings, Settings } from '../settings.ts'
import type { PoolTarget } from './plan-input.ts'
import { slotForRun } from './plan-runs.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { SharedStart } from './workers/shared-start.ts'

/** What the workers of one generation run, and what they are told at their start. */
export interface PoolVersion {
  readonly settings: PoolSettings
  readonly startTimeoutMs: number
  readonly shared: SharedStart
}

export interface FirstConfig {
  readonly settings: Pick<Settings, 'pools' | 'limits'>
  readonly shared: SharedStart
}

/** The pools of the old primary: numbers by name. */
export interface OldPools {
  readonly generations: Readonly<Record<string, number>>
  readonly workers: Readonly<Record<string, number>>
}

/** How many generations are kept. Workers of older ones have exited long since. */
const REMEMBERED_VERSIONS = 3

export class DesiredPool implements PoolTarget {
  readonly name: string
  readonly held = new Set<number>()
  readonly broken = new Set<number>()
  readonly finished = new Set<number>()
  readonly due = new Set<number>()
  isDropped = false
  workers: number
  generation: number
  previous: number | undefined
  replaced = false
  failure: string | undefined
  /** Since when no worker serves and every slot is broken. */
  outageSinceMs: number | undefined
  /** Why the last reload failed; undefined if it did not, or another has begun. */
  reverted: string | undefined
  private latest: number
  private workersBefore = 0
  private workersAfter: number
  private readonly versions = new Map<number, PoolVersion>()

  /** `generation`: the first one. */
  constructor(version: PoolVersion, generation = 0) {
    this.name = version.settings.name
    this.workers = version.settings.workers
    this.workersAfter = this.workers
    this.generation = generation
    this.latest = generation
    this.versions.set(generation, version)
  }

  /** The pools of the first config. After an upgrade the new primary goes on where the old one was. */
  static ofConfig({ settings: { pools, limits }, shared }: FirstConfig, old?: OldPools): Map<string, DesiredPool> {
    const desired = pools.map((settings) => {
      const pool = new DesiredPool({ settings, startTimeoutMs: limits.startTimeoutMs, shared }, old?.generations[settings.name])
      pool.scaleTo(old?.workers[settings.name] ?? settings.workers)
      return pool
    })
    return new Map(desired.map((pool) => [pool.name, pool]))
  }

  /** A pool that a reload adds. If the reload fails, the pool has no workers. */
  static added(version: PoolVersion): DesiredPool {
    const pool = new DesiredPool(version)
    pool.previous = -1
    return pool
  }

  /** Of the desired generation. */
  get version(): PoolVersion {
    return this.versionOf(this.generation)
  }

  /** The highest generation so far. Numbers are never used twice. */
  get latestGeneration(): number {
    return this.latest
  }

  get isOneOff(): boolean {
    return this.version.settings.schedule !== undefined
  }

  /** Is there a slot that should have a worker at all times? */
  get expectsWorkers(): boolean {
    for (let slot = 0; slot < this.workers; slot++) if (!this.finished.has(slot)) return true
    return false
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

  /** Has every slot a ready worker, and is no other worker left? `workers`: all of this pool. */
  isMetBy(workers: readonly Pick<PoolWorker, 'slot' | 'generation' | 'state'>[]): boolean {
    // One-off processes come and go as they are due.
    if (this.isOneOff) return workers.every(({ generation }) => this.versionOf(generation).settings.schedule !== undefined)
    for (let slot = 0; slot < this.workers; slot++) {
      if (this.held.has(slot) || this.broken.has(slot) || this.finished.has(slot)) continue
      if (!workers.some((worker) => worker.slot === slot && worker.state === 'ready')) return false
    }
    return workers.every(({ slot, generation }) => slot < this.workers && generation === this.generation)
  }

  versionOf(generation: number): PoolVersion {
    return this.versions.get(generation) ?? (this.versions.get(this.latest) as PoolVersion)
  }

  /**
   * Makes a new generation the desired one. If its config changes the number of workers, that number applies after the reload. Otherwise a number
   * that was set by hand or by autoscaling stays.
   */
  beginReload(version: PoolVersion): void {
    const before = this.version.settings.workers
    this.workersBefore = this.workers
    this.previous = this.generation
    this.failure = undefined
    this.replaced = false
    this.reverted = undefined
    this.isDropped = false
    this.latest++
    this.generation = this.latest
    this.versions.set(this.generation, version)
    for (const old of this.versions.keys()) if (this.versions.size > REMEMBERED_VERSIONS && old !== this.previous) this.versions.delete(old)
    this.workersAfter = version.settings.workers === before ? this.workers : version.settings.workers
    // Fewer workers run only after the reload has succeeded.
    this.workers = Math.max(this.workers, this.workersAfter)
    this.broken.clear()
    this.finished.clear()
    this.due.clear()
  }

  /** Sets the number of workers, whether or not a reload under way succeeds. */
  scaleTo(workers: number): void {
    this.workers = workers
    this.workersBefore = workers
    this.workersAfter = workers
  }

  /** Asks for a one-off process, while fewer than `most` run. */
  requestRun(most: number, isTaken: (slot: number) => boolean): 'started' | 'busy' | 'held' {
    const slot = slotForRun(this, most, isTaken)
    if (typeof slot === 'string') return slot
    this.due.add(slot)
    return 'started'
  }

  /** No config names the pool any more: its workers stop. */
  drop(): void {
    this.scaleTo(0)
    this.isDropped = true
  }

  /** The new generation has failed, in this pool or another: the previous one is desired again. */
  revert(why: string): void {
    if (this.previous === undefined) return
    this.reverted = why
    this.generation = this.previous
    this.workers = this.workersBefore
    this.previous = undefined
    this.failure = undefined
  }

  /** The new generation has replaced the previous one in all pools. From here on only a rollback brings that back. */
  complete(): void {
    this.workers = this.workersAfter
    this.previous = undefined
    this.failure = undefined
  }
}
