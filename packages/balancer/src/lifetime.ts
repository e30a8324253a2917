// The balancer from its start to its end: opens the listeners, accepts once every pool has a worker, drains, and closes every part in order.

import type { Acceptor } from '@switchyard/handoff'
import { Deferred } from './deferred.ts'
import type { ActiveConfig } from './dispatch/active-config.ts'
import type { ClaimPoller } from './dispatch/claim-poller.ts'
import type { Pool } from './dispatch/pool.ts'
import type { QueueRunner } from './dispatch/queue-runner.ts'
import { BalancerError } from './errors.ts'
import type { BalancerEmitter } from './events.ts'
import type { Jobs } from './jobs/jobs.ts'
import type { ConfigListeners } from './listeners/config-listeners.ts'
import type { ListenRequests } from './listeners/listen-requests.ts'
import type { Listeners } from './listeners/listeners.ts'
import { sharingSettings } from './reload/config-adoption.ts'
import type { EmbeddedSessions } from './sessions/embedded-sessions.ts'
import type { PrivateFolder } from './supervisor/private-sockets/private-folder.ts'
import type { Supervisor } from './supervisor/supervisor.ts'
import type { Upgrade } from './upgrade/upgrade.ts'
import type { Upstreams } from './upstreams/upstreams.ts'
import type { RedisSharing } from './visitors/redis-sharing.ts'

export interface LifetimeOptions {
  readonly config: ActiveConfig
  readonly events: BalancerEmitter
  readonly acceptor: Acceptor
  readonly listeners: Listeners
  readonly configListeners: ConfigListeners
  readonly listenRequests: ListenRequests
  readonly supervisor: Supervisor
  readonly folder: PrivateFolder
  readonly claims: ClaimPoller
  readonly queues: QueueRunner
  readonly sessions: EmbeddedSessions
  readonly redisSharing: RedisSharing
  readonly jobs: Jobs
  readonly upstreams: Pick<Upstreams, 'stop'>
  readonly upgrades: Upgrade
}

export class Lifetime {
  private readonly options: LifetimeOptions
  /** A stop may reject it while the addresses are still looked up. */
  private readonly started = new Deferred()
  /** Set as soon as the balancer is told to stop. */
  private stopped: Promise<void> | undefined

  constructor(options: LifetimeOptions) {
    this.options = options
  }

  /** Resolves when connections are accepted. Rejects with a BalancerError after everything was stopped. */
  async start(): Promise<void> {
    const { config, configListeners, supervisor, redisSharing } = this.options
    await configListeners.open(config.current.shared.listen, () => this.close())
    supervisor.start()
    void this.accept()
    redisSharing.configure(sharingSettings(config.current))
    await this.started.promise
  }

  /** Accepts as soon as every pool has a worker. */
  async accept(): Promise<void> {
    const { config, events, acceptor, listeners, supervisor, jobs, upgrades } = this.options
    const { settings } = config.current
    if (acceptor.isAccepting || this.stopped !== undefined) return
    const pools = [...config.pools.values()]
    if (pools.some((pool) => supervisor.lacksWorker(pool))) return
    if (listeners.haveAll(settings.pools)) await upgrades.untilAdmitted().catch((error: Error) => this.fail(error))
    if (!listeners.haveAll(config.current.settings.pools) || acceptor.isAccepting || this.stopped !== undefined) return
    acceptor.accept()
    upgrades.onAccepting()
    jobs.start()
    events.emit('ready', { workers: pools.reduce((sum, pool) => sum + pool.readyCount, 0) })
    this.started.resolve()
  }

  /** Has every pool that listens a ready worker, and is no stop under way? */
  isServing(): boolean {
    const serves = ({ settings, readyCount }: Pool) => !settings.listens || readyCount > 0
    return this.stopped === undefined && [...this.options.config.pools.values()].every(serves)
  }

  /** Stops everything because of an error. */
  fail(error: Error): void {
    this.options.events.emit('failed', { error })
    this.started.reject(error)
    this.stopped ??= this.options.supervisor.stop().then(() => this.close())
  }

  /** Drains and closes; resolves when it is done. The first call decides. */
  stop(reason: string): Promise<void> {
    this.stopped ??= this.drain(reason)
    return this.stopped
  }

  /** Stops in a later turn: a listener of the drain event may ask for another stop at once. */
  stopSoon(reason: string): void {
    this.stopped ??= Promise.resolve().then(() => this.drain(reason))
  }

  private async drain(reason: string): Promise<void> {
    const { config, events, acceptor, supervisor, upgrades } = this.options
    const { limits } = config.current.settings
    events.emit('draining', { reason, timeoutMs: limits.drainTimeoutMs })
    this.started.reject(new BalancerError('ERR_APP_FAILED', `stopped while starting: ${reason}`, { source: 'system' }))
    if (upgrades.isPassing) await upgrades.handOver()
    else {
      acceptor.closeListeners()
      acceptor.closeResting()
      const alone = upgrades.cancel()
      await upgrades.untilWorkersClaim(limits)
      await supervisor.stop()
      await alone
    }
    this.close()
    events.emit('stopped')
  }

  private close(): void {
    const {
      acceptor,
      claims,
      configListeners,
      folder,
      jobs,
      listeners,
      listenRequests,
      queues,
      redisSharing,
      sessions,
      upgrades,
      upstreams,
    } = this.options
    jobs.stop()
    upstreams.stop()
    configListeners.close()
    upgrades.end()
    listenRequests.stop()
    redisSharing.close()
    claims.stop()
    for (const { arrival } of queues.stop()) acceptor.drop(arrival.fd)
    sessions.close()
    acceptor.close()
    listeners.removeFiles()
    folder.remove()
  }
}
