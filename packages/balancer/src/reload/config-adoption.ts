// Puts a new config in force in every part of the primary that depends on it, and removes the pools that it does not name.

import type { RefusedClients } from '../attackers/refused-clients.ts'
import type { ActiveConfig, DroppedPool } from '../dispatch/active-config.ts'
import type { BoundRoutes } from '../dispatch/bound-routes.ts'
import type { Pool } from '../dispatch/pool.ts'
import type { PoolChanges } from '../dispatch/pool-changes.ts'
import type { Jobs } from '../jobs/jobs.ts'
import type { ConfigListeners } from '../listeners/config-listeners.ts'
import type { EmbeddedSessions } from '../sessions/embedded-sessions.ts'
import type { Settings } from '../settings.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { Upstreams } from '../upstreams/upstreams.ts'
import type { RedisSharing, RedisSharingSettings } from '../visitors/redis-sharing.ts'
import type { VisitorTable, VisitorTableOptions } from '../visitors/visitor-table.ts'

export interface ConfigAdoptionOptions {
  readonly config: ActiveConfig
  readonly configListeners: Pick<ConfigListeners, 'prepare' | 'adopt' | 'discard'>
  readonly supervisor: Supervisor
  readonly changes: PoolChanges
  readonly sessions: EmbeddedSessions
  readonly visitors: VisitorTable
  readonly redisSharing: RedisSharing
  readonly jobs: Jobs
  readonly upstreams: Pick<Upstreams, 'configure'>
  readonly refusedClients: Pick<RefusedClients, 'clear'>
}

export class ConfigAdoption {
  private readonly options: ConfigAdoptionOptions

  constructor(options: ConfigAdoptionOptions) {
    this.options = options
  }

  get current(): BoundRoutes {
    return this.options.config.current
  }

  /**
   * Binds the routes of these settings, adds their pools, and reads what their listeners need. Nothing is routed by them yet. Rejects with ERR_CONFIG
   * for faults of certificates; then nothing has changed.
   */
  async prepare(settings: Settings): Promise<BoundRoutes> {
    const routes = this.options.config.prepare(settings)
    try {
      await this.options.configListeners.prepare(routes.shared.listen)
    } catch (error) {
      this.discard()
      throw error
    }
    return routes
  }

  adopt(routes: BoundRoutes): void {
    const { config, configListeners, supervisor, changes, sessions, visitors, redisSharing, jobs, upstreams, refusedClients } = this.options
    const dropped = config.adopt(routes)
    configListeners.adopt(routes.shared.listen)
    supervisor.limits = routes.settings.limits
    this.drop(dropped)
    sessions.configure(routes.settings.sessions)
    visitors.configure(visitorBounds(routes.settings))
    redisSharing.configure(sharingSettings(routes))
    jobs.configure(routes.settings.pools)
    upstreams.configure(routes.settings.pools)
    refusedClients.clear()
    changes.placeAll()
  }

  /** The reload has failed: removes the pools that only its config named. */
  discard(): void {
    const { config, configListeners, upstreams } = this.options
    this.drop(config.dropOthers())
    configListeners.discard()
    upstreams.configure(config.current.settings.pools)
  }

  /** A worker of this pool is gone, and the pool goes with its last worker if no config names it. */
  removeIfEmpty(pool: Pool): void {
    const { config, supervisor } = this.options
    if (config.removeIfEmpty(pool)) supervisor.desired.delete(pool.settings.name)
  }

  /** Stops the workers of these pools, and routes the connections again that waited for them. */
  private drop(dropped: readonly DroppedPool[]): void {
    const { supervisor, changes } = this.options
    for (const { pool, queued } of dropped) {
      supervisor.desired.get(pool.settings.name)?.drop()
      changes.placeAgain(queued)
      this.removeIfEmpty(pool)
    }
  }
}

/** `serves`: does an upstream server of this slot get requests? undefined: the slots of the pool are workers. */
export function visitorOptions(
  settings: Settings,
  pools: ReadonlyMap<string, Pool>,
  serves: (pool: string, slot: number) => boolean | undefined,
): VisitorTableOptions {
  const isHeld = (pool: string, slot: number): boolean => serves(pool, slot) ?? pools.get(pool)?.isHeld(slot) === true
  return { ...visitorBounds(settings), now: () => performance.now(), isHeld }
}

function visitorBounds({ limits: { maxLearned, learnedTtlMs } }: Settings): { maxEntries: number; ttlMs: number } {
  return { maxEntries: maxLearned, ttlMs: learnedTtlMs }
}

export function sharingSettings({ settings, routes }: BoundRoutes): RedisSharingSettings {
  const isWanted = [...routes.routes, routes.fallback].some(({ policy: { policy } }) => (policy.learns ?? []).length > 0)
  return { sessions: settings.sessions, isWanted, maxEntries: settings.limits.maxLearned }
}
