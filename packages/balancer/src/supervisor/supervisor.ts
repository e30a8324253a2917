// Keeps the workers of all pools as desired, in the primary: plans, carries the actions out, and plans again after an event or when time is up.

import type { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { LimitSettings } from '../settings.ts'
import { ActionRunner } from './action-runner.ts'
import type { DesiredPool } from './desired-pool.ts'
import { Drains } from './drains.ts'
import { ExitReasons } from './exit-reasons.ts'
import { Goals } from './goals.ts'
import { logNotices } from './notices.ts'
import { Outages } from './outages.ts'
import { outageRetryMs, type Plan, plan } from './plan.ts'
import type { PlannedSlot, RetireReason } from './plan-input.ts'
import type { PoolWorker } from './pool-worker.ts'
import { SocketWatch } from './private-sockets/socket-watch.ts'
import { SlotHistory } from './slot-history.ts'
import type { SupervisedPool, SupervisorListener } from './supervised-pool.ts'
import { PoolWatch } from './watch/pool-watch.ts'
import { followBegins } from './watch/worker-begin.ts'
import { WorkerWatch } from './watch/worker-watch.ts'
import { WorkerLifecycle } from './worker-lifecycle.ts'
import type { WorkerMessages } from './worker-messages.ts'
import type { WorkerStarts } from './workers/worker-starts.ts'

/** The next turn comes soon after one with actions, which may have changed what the plan depends on. */
const SOON_MS = 20

export interface SupervisorOptions extends SupervisorListener {
  readonly limits: LimitSettings
  /** Of the first config, by name. A reload adds others. */
  readonly desired: Map<string, DesiredPool>
  readonly pools: ReadonlyMap<string, SupervisedPool>
  readonly events: BalancerEmitter
  readonly messages: WorkerMessages
  readonly starts: WorkerStarts
  /** Why other workers can't reach the worker's private socket; undefined if they can. */
  readonly socketFault: (worker: PoolWorker) => string | undefined
  /** Where a worker's server listens privately. */
  readonly privateSocket: (worker: PoolWorker) => string
  readonly forwardToken: string
  /** Why servers of a pool's app could not listen, if that may be why none of its workers came up. */
  readonly listenError: (pool: string) => BalancerError | undefined
  /** A random number, 0 to 1. */
  readonly chance: () => number
}

export class Supervisor {
  readonly desired: Map<string, DesiredPool>
  limits: LimitSettings
  private readonly options: SupervisorOptions
  /** Starts and failures of slots, why their workers exited, and whether their event loops turn. Others only read it. */
  readonly history: SlotHistory
  readonly exitReasons = new ExitReasons()
  readonly watch: WorkerWatch
  private readonly outages: Outages
  private readonly goals = new Goals()
  private readonly drains: Drains
  private readonly poolWatch: PoolWatch
  private readonly socketWatch: SocketWatch
  private readonly lifecycle: WorkerLifecycle
  private readonly runner: ActionRunner
  private timer: NodeJS.Timeout | undefined
  private turning = false
  private running = false
  private stopping = false
  private killsAtOnce = false

  constructor(options: SupervisorOptions) {
    this.desired = options.desired
    const { events, messages, chance } = options
    this.options = options
    this.limits = options.limits
    this.history = new SlotHistory(chance)
    logNotices(messages, events)
    this.outages = new Outages({
      events,
      history: this.history,
      exitReasons: this.exitReasons,
      maxRestartDelayMs: () => this.limits.maxRestartDelayMs,
      listenError: options.listenError,
      onFailed: (error) => {
        this.stopping = true
        options.onFailed(error)
      },
    })
    this.drains = new Drains({
      events,
      messages,
      drainTimeoutMs: () => this.limits.drainTimeoutMs,
      workers: () => this.workers(),
      onChanged: (worker) => this.poolOf(worker.pool).refresh(),
      onDraining: options.onDraining,
      onDrained: () => this.turn(),
    })
    this.poolWatch = new PoolWatch({
      events,
      retire: (worker, reason, why) => this.retire(worker, reason, why),
      kill: (worker, why) => this.lifecycle.kill(worker, why),
      chance,
    })
    this.socketWatch = new SocketWatch({
      workers: () => this.workers(),
      faultOf: options.socketFault,
      retire: (worker, why) => this.retire(worker, 'sockets', why),
    })
    this.watch = new WorkerWatch({
      events,
      limits: () => this.limits,
      workers: () => this.workers(),
      privateSocket: options.privateSocket,
      token: options.forwardToken,
      onUp: (worker) => {
        worker.upMs = Date.now()
        this.turn()
      },
      retire: (worker, reason) => this.retire(worker, reason),
      onPolled: () => this.pollPools(),
    })
    followBegins(messages, (worker) => {
      if (this.stopping) return
      this.watch.onListening(worker)
      // The next worker may start.
      this.turn()
    })
    this.lifecycle = new WorkerLifecycle({
      events,
      messages,
      limits: () => this.limits,
      poolOf: (name) => this.poolOf(name),
      desiredOf: (pool) => this.desiredOf(pool),
      starts: options.starts,
      history: this.history,
      exitReasons: this.exitReasons,
      outages: this.outages,
      watch: this.watch,
      isStopping: () => this.stopping,
      onReady: options.onReady,
      onGone: options.onGone,
      onEnded: () => {
        this.drains.sealEmpty()
        this.turn()
      },
    })
    const { history, lifecycle, drains, outages, watch } = this
    const desiredOf = (pool: string): DesiredPool => this.desiredOf(pool)
    this.runner = new ActionRunner({ events, desiredOf, workers: () => this.workers(), history, lifecycle, drains, outages, watch })
  }

  start(): void {
    this.running = true
    this.watch.start()
    this.turn()
  }

  /** Drains every worker; resolves when all processes are gone. */
  async stop(): Promise<void> {
    this.stopping = true
    const stopped = this.goals.add({ isReached: () => !this.hasWorkers() })
    this.turn()
    await stopped
    this.running = false
    this.watch.stop()
  }

  /** Kills every worker that is left. */
  stopNow(): void {
    this.stopping = true
    this.killsAtOnce = true
    for (const worker of this.workers()) worker.process?.kill('SIGKILL')
    this.turn()
  }

  /** Call it after a change of the desired state. Resolves when `isReached`; rejects as soon as `failure` returns an error. */
  pursue(isReached: () => boolean, failure: () => Error | undefined = () => undefined): Promise<void> {
    const reached = this.goals.add({ isReached, failure })
    this.turn()
    return reached
  }

  /** Has a one-off process of the pool started, while fewer than `most` run? */
  startRun(pool: string, most: number): 'started' | 'busy' | 'held' {
    const desired = this.desired.get(pool)
    if (desired === undefined || this.stopping) return 'busy'
    const outcome = desired.requestRun(most, (slot) => this.inSlot({ pool, slot }).length > 0)
    this.turn()
    return outcome
  }

  /** Replaces the worker. It serves until its replacement is ready. */
  retire(worker: PoolWorker, reason: RetireReason, why?: string): void {
    if (worker.retiring !== undefined) return
    // A draining worker exits anyway, unless it hangs.
    if (worker.state !== 'ready' && !(worker.state === 'draining' && reason === 'hang')) return
    worker.retiring = reason
    this.options.events.emit('workerRetiring', { ...worker.workerSlot, reason: why ?? reason, cause: reason, isOneOff: worker.isOneOff })
    this.poolOf(worker.pool).refresh()
    this.turn()
  }

  kill(worker: PoolWorker, why: string): void {
    this.lifecycle.kill(worker, why)
  }

  /** The processes of a slot that are not gone. */
  inSlot({ pool, slot }: PlannedSlot): PoolWorker[] {
    return [...(this.options.pools.get(pool)?.workers ?? [])].filter((worker) => worker.slot === slot)
  }

  /** Has the pool no ready worker, although it should? Workers that have ended for good are not missed. */
  lacksWorker({ readyCount, settings }: SupervisedPool): boolean {
    return readyCount === 0 && this.desired.get(settings.name)?.expectsWorkers === true
  }

  /** Is the pool as desired? True for a pool that is not desired any more. */
  isAsDesired(name: string): boolean {
    return this.desired.get(name)?.isMetBy([...this.workers()].filter(({ pool }) => pool === name)) ?? true
  }

  /** Workers of pools that are not desired any more. */
  superfluous(): PoolWorker[] {
    return [...this.workers()].filter(({ pool }) => this.desired.get(pool)?.isDropped === true)
  }

  clearFailures(workerSlot: PlannedSlot): void {
    this.history.clearFailures(workerSlot)
    this.turn()
  }

  *workers(): Generator<PoolWorker> {
    for (const pool of this.options.pools.values()) yield* pool.workers
  }

  private pollPools(): void {
    const now = Date.now()
    if (!this.stopping) for (const [name, desired] of this.desired) this.poolWatch.poll(this.poolOf(name), desired, now)
    if (!this.stopping) this.socketWatch.poll(now)
    this.turn()
  }

  private hasWorkers(): boolean {
    return this.workers().next().done !== true
  }

  private poolOf(name: string): SupervisedPool {
    return this.options.pools.get(name) as SupervisedPool
  }

  private desiredOf(pool: string): DesiredPool {
    return this.desired.get(pool) as DesiredPool
  }

  /** Plans and carries the actions out. A turn that an action asks for comes with the next timer. */
  private turn(): void {
    if (!this.running || this.turning) return
    this.turning = true
    const now = Date.now()
    // There is a next turn even if an action throws.
    let nextMs = now + SOON_MS
    try {
      const { actions, nextMs: plannedMs } = this.plan(now)
      for (const action of actions) this.runner.run(action, now, this.killsAtOnce)
      if (actions.length === 0) nextMs = plannedMs
    } finally {
      this.turning = false
      clearTimeout(this.timer)
      if (nextMs !== Number.POSITIVE_INFINITY) this.timer = setTimeout(() => this.turn(), Math.max(nextMs - now, 1))
    }
    this.goals.poll()
  }

  private plan(now: number): Plan {
    const { drainTimeoutMs, maxRestarts, restartWindowMs, maxRestartDelayMs, startsAtOnce } = this.limits
    return plan(
      {
        pools: [...this.desired.values()],
        stopping: this.stopping,
        drainTimeoutMs: this.killsAtOnce ? 0 : drainTimeoutMs,
        maxRestarts,
        restartWindowMs,
        startsAtOnce,
        outageRetryMs: outageRetryMs(maxRestartDelayMs),
      },
      {
        workers: [...this.workers()].map((worker) => worker.planned(this.watch.silentMs(worker))),
        history: (workerSlot) => this.history.history(workerSlot),
        provenPools: this.lifecycle.provenPools,
      },
      now,
    )
  }
}
