// The config in force: its routes with their policies, and the pools that configs name. A pool comes with the first config that names it, and goes with its last
// worker when no config names it any more.

import { listenerOf, type Owners } from '@switchyard/handoff'
import type { ListenerAddress, TicketHomes, VisitorSlots } from '@switchyard/routing'
import type { PoolSettings, Settings } from '../settings.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import { type ActiveRoutes, type BoundRoutes, bindRoutes, type Destination, type PlacedRequest } from './bound-routes.ts'
import type { PathRecords } from './path-records.ts'
import { Pool } from './pool.ts'
import type { Queued } from './queue.ts'

export interface ActiveConfigOptions {
  /** Empty; the config fills it. */
  readonly pools: Map<string, Pool>
  readonly forwardToken: string
  readonly visitors: VisitorSlots
  readonly tlsTickets?: TicketHomes | undefined
  readonly onPolicyFailed: (route: string, error: unknown) => void
  /** Which of the pools serves a listener by default. `first`: the first of the config. */
  readonly poolFor: (listener: number, first: string, pools: readonly PoolSettings[]) => string
  /** The address of a listener; undefined: it is closed. */
  readonly listenerAddress: (listener: number) => ListenerAddress | undefined
  /** Of the descriptors that wait, where they are checked. */
  readonly owners: Owners | undefined
  /** The number of workers that a pool should have now. */
  readonly desiredOf: (pool: string) => number
  readonly records: Pick<PathRecords, 'choices' | 'decisions'>
}

/** A pool that no config names any more, and the connections that waited for it; they are the caller's. */
export interface DroppedPool {
  readonly pool: Pool
  readonly queued: readonly Queued[]
}

export class ActiveConfig implements ActiveRoutes {
  /** By name. */
  readonly pools: Map<string, Pool>
  /** What pools that are gone had claimed, and what was taken back from them. */
  readonly pastPools = { claimed: 0, takenBack: 0 }
  private readonly options: ActiveConfigOptions
  private inForce: BoundRoutes

  constructor(settings: Settings, options: ActiveConfigOptions) {
    this.options = options
    this.pools = options.pools
    this.inForce = this.prepare(settings)
  }

  get current(): BoundRoutes {
    return this.inForce
  }

  refuses(request: PlacedRequest): boolean {
    return this.inForce.routes.refuses(this.headOf(request))
  }

  /** What no route matches goes to the first pool, or, if only the app of another pool listens where it came, to that pool. */
  destination(request: PlacedRequest): Destination {
    const { routes, defaults, settings } = this.inForce
    const route = routes.find(this.headOf(request))
    if (route !== routes.fallback || defaults.size === 1) return route.policy
    return defaults.get(this.options.poolFor(listenerOf(request.tag), route.pool, settings.pools)) ?? route.policy
  }

  poolOf(worker: PoolWorker): Pool {
    return this.pools.get(worker.pool) as Pool
  }

  /** Binds the routes of these settings; nothing is routed by them yet. Pools that they add are there, without workers. */
  prepare(settings: Settings): BoundRoutes {
    const { forwardToken, visitors, tlsTickets, onPolicyFailed, owners, records, desiredOf } = this.options
    return bindRoutes(settings, {
      forwardToken,
      visitors,
      tlsTickets,
      onPolicyFailed,
      choices: records.choices,
      desiredOf,
      poolOf: (pool) => {
        const known = this.pools.get(pool.name) ?? new Pool(pool, { owners, recording: records.decisions })
        this.pools.set(pool.name, known)
        return known
      },
    })
  }

  /** Routes by this config from now on. Returns the pools that it drops. */
  adopt(routes: BoundRoutes): readonly DroppedPool[] {
    this.inForce = routes
    this.options.records.decisions.configure(routes.settings.decisions)
    for (const pool of routes.settings.pools) this.pools.get(pool.name)?.configure(pool)
    return this.dropOthers()
  }

  /** Drops the pools that the config in force does not name. */
  dropOthers(): readonly DroppedPool[] {
    return [...this.pools.values()]
      .filter(({ settings }) => !this.names(settings.name))
      .map((pool) => ({ pool, queued: pool.queue.removeAll() }))
  }

  /** Removes a dropped pool that has no worker. Returns whether it is gone. */
  removeIfEmpty({ settings: { name }, workers, past }: Pool): boolean {
    if (workers.size > 0 || this.names(name)) return false
    this.pastPools.claimed += past.claimed
    this.pastPools.takenBack += past.takenBack
    return this.pools.delete(name)
  }

  /** The head, which knows its listener if a route asks for that. */
  private headOf({ head, tag }: PlacedRequest): PlacedRequest['head'] {
    if (this.inForce.routes.usesListeners) head.listener = this.options.listenerAddress(listenerOf(tag))
    return head
  }

  private names(pool: string): boolean {
    return this.inForce.settings.pools.some(({ name }) => name === pool)
  }
}
