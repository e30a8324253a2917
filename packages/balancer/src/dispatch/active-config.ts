// Which release is in force, and the pools that releases need: a pool comes with the first release that names it, and goes with its last worker when
// none does any more.

import type { Owners } from '@switchyard/handoff'
import type { VisitorSlots } from '@switchyard/routing'
import type { Settings } from '../settings.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { type BoundRoutes, bindRoutes } from './bound-routes.ts'
import { Pool } from './pool.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { Queued } from './queue.ts'

export interface ActiveConfigOptions {
  readonly supervisor: () => Supervisor
  readonly forwardToken: string
  readonly learned: VisitorSlots
  readonly onPolicyFailed: (route: string, error: unknown) => void
  /** Routes connections again that waited for a pool which goes. */
  readonly placeAgain: (taken: readonly Queued[]) => void
  /** Of the descriptors that wait, where they are checked. */
  readonly owners: Owners | undefined
}

export class ActiveConfig {
  readonly pools = new Map<string, Pool>()
  /** What pools that are no more had claimed, and what was taken back from them. */
  readonly pastPools = { claimed: 0, takenBack: 0 }
  private readonly parts: ActiveConfigOptions
  private inForce: BoundRoutes

  constructor(settings: Settings, parts: ActiveConfigOptions) {
    this.parts = parts
    this.inForce = this.prepare(settings)
  }

  get current(): BoundRoutes {
    return this.inForce
  }

  poolOf(worker: PoolWorker): Pool {
    return this.pools.get(worker.pool) as Pool
  }

  /** A release of these settings; nothing is routed by it yet. Pools that it adds are there, without workers. */
  prepare(settings: Settings): BoundRoutes {
    const { forwardToken, learned, onPolicyFailed } = this.parts
    return bindRoutes(settings, {
      forwardToken,
      learned,
      onPolicyFailed,
      poolOf: (pool) => {
        const known = this.pools.get(pool.name) ?? new Pool(pool, this.parts.owners)
        this.pools.set(pool.name, known)
        return known
      },
    })
  }

  /** From now on everything goes by this release. */
  adopt(release: BoundRoutes): void {
    this.inForce = release
    this.parts.supervisor().limits = release.settings.limits
    for (const pool of release.settings.pools) this.pools.get(pool.name)?.configure(pool)
    this.dropOthers()
  }

  /** Pools that the release in force does not name get no workers any more. */
  dropOthers(): void {
    const { supervisor, placeAgain } = this.parts
    for (const [name, pool] of this.pools) {
      if (this.names(name)) continue
      supervisor().wanted.get(name)?.scaleTo(0)
      placeAgain(pool.queue.removeAll())
      this.forgetIfEmpty(pool)
    }
  }

  /** A worker is gone: its pool may go with it. */
  forgetIfEmpty({ settings: { name }, workers, past }: Pool): void {
    if (workers.size > 0 || this.names(name)) return
    this.pastPools.claimed += past.claimed
    this.pastPools.takenBack += past.takenBack
    this.pools.delete(name)
    this.parts.supervisor().wanted.delete(name)
  }

  private names(pool: string): boolean {
    return this.inForce.settings.pools.some(({ name }) => name === pool)
  }
}
