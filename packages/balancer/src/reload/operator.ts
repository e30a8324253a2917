// Carries out the operations on workers: one reload at a time, and changes of single slots.

import type { BoundRoutes } from '../dispatch/bound-routes.ts'
import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { OperationResult, ScaleChange } from '../operations.ts'
import type { PoolSettings, Settings } from '../settings.ts'
import { DesiredPool } from '../supervisor/desired-pool.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { Upstreams } from '../upstreams/upstreams.ts'
import { type SlotName, slotName } from '../worker-name.ts'
import type { ConfigAdoption } from './config-adoption.ts'
import { changesServersAlone, operationError, outOfService, ServerOperations } from './server-operations.ts'

export interface OperatorOptions {
  readonly supervisor: Supervisor
  readonly events: BalancerEmitter
  readonly config: ConfigAdoption
  readonly jobs: {
    /** Why no process of a schedule may be started now. */
    obstacleTo(pool: string): string | undefined
  }
  readonly upstreams: Upstreams
}

export class Operator {
  private readonly options: OperatorOptions
  private readonly servers: ServerOperations
  private busyWith: string | undefined
  private undo: { readonly settings: Settings; readonly pool: string | undefined } | undefined

  constructor(options: OperatorOptions) {
    this.options = options
    this.servers = new ServerOperations(options.upstreams)
  }

  reload(settings: Settings, pool?: string): Promise<OperationResult> {
    const before = this.options.config.current.settings
    return this.alone('reload', pool, async () => {
      const result = await this.replace(settings, pool)
      this.undo = { settings: before, pool }
      return result
    })
  }

  /** Reloads a pool with the present settings. What a rollback returns to stays. */
  reloadAtItsTime(pool: string): Promise<OperationResult> {
    return this.alone('scheduled reload', pool, () => this.replace(this.options.config.current.settings, pool))
  }

  rollback(): Promise<OperationResult> {
    const { undo } = this
    if (undo === undefined)
      return Promise.reject(
        operationError('ERR_NOTHING_TO_ROLL_BACK', 'no reload has succeeded since the start, or the last one was rolled back'),
      )
    return this.alone('rollback', undo.pool, async () => {
      const result = await this.replace(undo.settings, undo.pool)
      this.undo = undefined
      return result
    })
  }

  /** Runs `body` unless another operation of this kind is under way. Throws ERR_BUSY. */
  async alone(name: string, pool: string | undefined, body: () => Promise<OperationResult>): Promise<OperationResult> {
    if (this.busyWith !== undefined)
      throw operationError('ERR_BUSY', `a ${this.busyWith} is under way; try again when it has finished`, true)
    this.busyWith = name
    try {
      return await this.announced(name, pool, body)
    } finally {
      this.busyWith = undefined
    }
  }

  async scale(pool: string, change: ScaleChange, reason = 'asked for'): Promise<OperationResult> {
    const desired = this.desiredOf(pool)
    if (desired.isOneOff)
      throw operationError(
        'ERR_UNKNOWN_SEAT',
        `pool ${pool} runs on a schedule, so it has no number of workers; 'workers' limits its processes`,
      )
    const from = desired.workers
    const to = 'to' in change ? change.to : from + change.by
    if (!Number.isInteger(to) || to < 1)
      throw operationError('ERR_UNKNOWN_SEAT', `a pool has at least one worker: ${pool} can't have ${to}`)
    return this.announced('scale', pool, async () => {
      desired.scaleTo(to)
      this.options.events.emit('scaled', { pool, from, to, reason })
      const failedBefore = this.options.supervisor.history.failuresOf(pool)
      await this.options.supervisor.pursue(
        () => desired.workers !== to || this.options.supervisor.isAsDesired(pool),
        () => this.failedSince(pool, failedBefore),
      )
      return { message: `pool ${pool} has ${counted(to)} (${from} before)` }
    })
  }

  async drainSlot(name: SlotName): Promise<OperationResult> {
    const { pool, slot } = name
    if (this.servers.isServer(name)) return this.announced('drain', pool, () => this.servers.drain(name))
    const desired = this.desiredOf(pool, slot)
    return this.announced('drain', pool, async () => {
      desired.held.add(slot)
      await this.options.supervisor.pursue(() => !desired.held.has(slot) || this.options.supervisor.inSlot({ pool, slot }).length === 0)
      return { message: outOfService(name) }
    })
  }

  async restartSlot(name: SlotName): Promise<OperationResult> {
    const { pool, slot } = name
    if (this.servers.isServer(name)) return this.announced('restart', pool, () => this.servers.restart(name))
    const desired = this.desiredOf(pool, slot)
    if (desired.isOneOff) return this.runNow(desired, slot)
    const { supervisor } = this.options
    return this.announced('restart', pool, async () => {
      const workerSlot = { pool, slot }
      const old = supervisor.inSlot(workerSlot).filter(({ state }) => state === 'ready')
      desired.held.delete(slot)
      desired.broken.delete(slot)
      desired.finished.delete(slot)
      supervisor.clearFailures(workerSlot)
      for (const worker of old) supervisor.retire(worker, 'restart')
      const failedBefore = supervisor.history.failuresOf(pool)
      try {
        await supervisor.pursue(
          () =>
            supervisor.inSlot(workerSlot).some((worker) => worker.state === 'ready' && !old.includes(worker)) &&
            old.every(({ state }) => state === 'gone'),
          () => this.failedSince(pool, failedBefore),
        )
      } catch (error) {
        for (const worker of old) worker.retiring = undefined
        throw error
      }
      return { message: `${slotName(name)} was restarted` }
    })
  }

  /** Starts a process of a schedule before its time. The slot is in service from then on. */
  private runNow(desired: DesiredPool, slot: number): Promise<OperationResult> {
    const { name: pool } = desired
    const { supervisor } = this.options
    const [running] = supervisor.inSlot({ pool, slot })
    const obstacle = this.options.jobs.obstacleTo(pool)
    if (obstacle !== undefined) throw operationError('ERR_BUSY', `${pool}/${slot} can't be started now: ${obstacle}`, true)
    if (running !== undefined || desired.due.has(slot))
      throw operationError(
        'ERR_BUSY',
        `${pool}/${slot} runs already${running === undefined ? '' : ` (pid ${running.workerSlot.pid})`}`,
        true,
      )
    return this.announced('restart', pool, async () => {
      desired.held.delete(slot)
      desired.due.add(slot)
      await supervisor.pursue(() => !desired.due.has(slot))
      const [started] = supervisor.inSlot({ pool, slot })
      if (started === undefined) throw new BalancerError('ERR_APP_FAILED', `${pool}/${slot} could not be started`, { source: 'system' })
      return { message: `${pool}/${slot} runs now (pid ${started.workerSlot.pid}); 'balancer logs ${pool}' shows its output` }
    })
  }

  /** Replaces the workers of one pool, or of all pools, and then puts the new settings in force. */
  private async replace(settings: Settings, pool: string | undefined): Promise<OperationResult> {
    const { supervisor } = this.options
    const before = this.options.config.current.settings
    const after = pool === undefined ? settings : this.withPool(before, settings, pool)
    const routes = await this.options.config.prepare(after)
    const asked = pool === undefined ? after.pools.map(({ name }) => name) : [pool]
    // Proxy workers are told of other servers while they run.
    const kept = asked.filter((name) => changesServersAlone(this.options.config.current, routes, name))
    const names = asked.filter((name) => !kept.includes(name))
    for (const name of names) this.begin(routes, name)
    const failure = () => names.map((name) => supervisor.desired.get(name)?.reverted).find((why) => why !== undefined)
    await supervisor.pursue(() => failure() !== undefined || names.every((name) => supervisor.desired.get(name)?.replaced === true))
    const why = failure()
    if (why !== undefined) {
      // Several pools are reloaded as a whole, or not at all.
      for (const name of names) supervisor.desired.get(name)?.revert(why)
      this.options.config.discard()
      const failedBefore = new Map(names.map((name) => [name, supervisor.history.failuresOf(name)]))
      // Workers that were replaced already are started again, if they can be.
      await supervisor.pursue(() =>
        names.every((name) => supervisor.isAsDesired(name) || supervisor.history.failuresOf(name) > (failedBefore.get(name) ?? 0)),
      )
      throw operationError('ERR_RELOAD_FAILED', `the new workers did not come up, and the old ones keep serving: ${why}`)
    }
    for (const name of names) supervisor.desired.get(name)?.complete()
    this.options.config.adopt(routes)
    await supervisor.pursue(() => supervisor.superfluous().length === 0)
    if (names.length === 0)
      return { message: `the servers of ${kept.join(', ')} are those of the config now; their proxy workers were kept` }
    const [name = ''] = names
    if (names.length === 1 && supervisor.desired.get(name)?.isOneOff === true)
      return { message: `the next process of ${name} runs the new config` }
    const workerSlots = names.reduce((sum, name) => sum + (supervisor.desired.get(name)?.workers ?? 0), 0)
    const others = kept.length === 0 ? '' : `; the servers of ${kept.join(', ')} are those of the config now`
    return { message: `${counted(workerSlots)} of ${names.join(', ')} replaced${others}` }
  }

  private begin({ settings, shared }: BoundRoutes, name: string): void {
    const { desired } = this.options.supervisor
    const { startTimeoutMs } = settings.limits
    const version = { settings: settings.pools.find((pool) => pool.name === name) as PoolSettings, startTimeoutMs, shared }
    const known = desired.get(name)
    if (known === undefined) desired.set(name, DesiredPool.added(version))
    else known.beginReload(version)
  }

  /** The settings from before, with this pool's settings from after. */
  private withPool(before: Settings, after: Settings, pool: string): Settings {
    const found = after.pools.find(({ name }) => name === pool)
    if (found === undefined || !before.pools.some(({ name }) => name === pool)) throw this.unknown(pool)
    return { ...before, pools: before.pools.map((one) => (one.name === pool ? found : one)) }
  }

  private desiredOf(pool: string, slot?: number): DesiredPool {
    const desired = this.options.supervisor.desired.get(pool)
    if (desired === undefined) throw this.unknown(pool)
    if (slot !== undefined && !(slot >= 0 && slot < slotsOf(desired))) {
      throw operationError('ERR_UNKNOWN_SEAT', `pool ${pool} has slots 0 to ${slotsOf(desired) - 1}, there is no ${slot}`)
    }
    return desired
  }

  private unknown(pool: string): BalancerError {
    return operationError(
      'ERR_UNKNOWN_SEAT',
      `there is no pool '${pool}'; the pools are: ${[...this.options.supervisor.desired.keys()].join(', ')}`,
    )
  }

  private failedSince(pool: string, before: number): Error | undefined {
    const { supervisor } = this.options
    if (supervisor.history.failuresOf(pool) <= before) return undefined
    return new BalancerError('ERR_APP_FAILED', `a worker of ${pool} did not come up: ${supervisor.exitReasons.ofPool(pool)}`, {
      source: 'app',
    })
  }

  private async announced(name: string, pool: string | undefined, body: () => Promise<OperationResult>): Promise<OperationResult> {
    const { events } = this.options
    events.emit('operationStarted', { name, pool })
    try {
      const result = await body()
      events.emit('operationEnded', { name, message: result.message, error: undefined })
      return result
    } catch (error) {
      events.emit('operationEnded', { name, message: (error as Error).message, error: error as Error })
      throw error
    }
  }
}

function slotsOf({ workers, version }: DesiredPool): number {
  return version.settings.schedule?.most ?? workers
}

function counted(workers: number): string {
  return `${workers} ${workers === 1 ? 'worker' : 'workers'}`
}
