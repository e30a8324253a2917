// Keeps the workers as they should be: asks the plan, carries its actions out, and asks again when something happens or time is up.

import type { Transport } from '@switchyard/handoff'
import type { ListenAnswer, ListenRequest, ToPrimary } from '@switchyard/worker-runtime'
import type { Pool } from '../dispatch/pool.ts'
import type { PoolWorker, WorkerReturns } from '../dispatch/pool-worker.ts'
import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { SessionBatch } from '../sessions/embedded-sessions.ts'
import type { LimitSettings } from '../settings.ts'
import type { DesiredPool } from './desired-pool.ts'
import { Drains } from './drains.ts'
import { ExitReasons } from './exit-reasons.ts'
import { Goals } from './goals.ts'
import { Notices } from './notices.ts'
import { type Action, outageRetryMs, type Plan, type PlannedSlot, type PlannedWorker, plan, type RetireReason } from './plan.ts'
import { PoolWatch } from './pool-watch.ts'
import { type NotStarted, SlotHistory } from './slot-history.ts'
import { WorkerWatch } from './worker-watch.ts'
import { describeStartFailure } from './workers/start-failure.ts'
import { type StartData, WorkerStarts } from './workers/worker-starts.ts'

/** A worker that was ready for this long was well: its exit is no failure in a row. */
const WELL_MS = 5000
/** How often the private sockets are looked for. */
const SOCKETS_EVERY_MS = 10_000
/** After actions time alone may matter. */
const SOON_MS = 20

export interface SupervisorOptions {
  readonly limits: LimitSettings
  readonly transport: Transport
  readonly pools: ReadonlyMap<string, Pool>
  readonly events: BalancerEmitter
  /** What every worker is told, besides its seat and what its pool's version says. */
  readonly startData: StartData
  /** Why others don't find the worker's private socket; undefined: they do. */
  readonly socketFault: (worker: PoolWorker) => string | undefined
  /** A worker that `startData` was asked for has not been started. */
  readonly forget: (worker: PoolWorker) => void
  /** Why servers of a pool's app could not listen, where that may be why none of its workers came up. */
  readonly listenError: (pool: string) => BalancerError | undefined
  /** A server of a worker's app listens, or closes. Rejects never. */
  readonly onListen: (worker: PoolWorker, request: ListenRequest) => Promise<ListenAnswer>
  /** Where a worker's server listens privately. */
  readonly privateSocket: (worker: PoolWorker) => string
  readonly forwardToken: string
  readonly returns: WorkerReturns
  /** A worker has told of its load. */
  readonly onReported: (worker: PoolWorker) => void
  /** These visitors belong to the worker from now on. */
  readonly onLearned: (worker: PoolWorker, keys: readonly string[]) => void
  readonly onReady: (worker: PoolWorker) => void
  /** So many bytes of header fields the parser of a worker takes. */
  readonly onHeaderLimit: (bytes: number) => void
  /** It takes nothing new from here on. */
  readonly onDraining: (worker: PoolWorker) => void
  /** The process is gone; its channel has still to be taken back. */
  readonly onGone: (worker: PoolWorker) => void
  readonly onFailed: (error: BalancerError) => void
  readonly onSessions: (worker: PoolWorker, batch: SessionBatch) => void
  /** 0 to 1. */
  readonly chance: () => number
}

export class Supervisor {
  readonly wanted = new Map<string, DesiredPool>()
  limits: LimitSettings
  private readonly options: SupervisorOptions
  private readonly starts: WorkerStarts
  private readonly records: SlotHistory
  private readonly proven = new Set<string>()
  private readonly exitReasons = new ExitReasons()
  private readonly goals = new Goals()
  private readonly notices = new Notices()
  private readonly drains: Drains
  private readonly watch: WorkerWatch
  private readonly poolWatch: PoolWatch
  private timer: NodeJS.Timeout | undefined
  private socketsMs = Date.now()
  private turning = false
  private running = false
  private stopping = false
  private killsAtOnce = false

  constructor(options: SupervisorOptions) {
    this.options = options
    this.limits = options.limits
    this.starts = new WorkerStarts(options)
    this.records = new SlotHistory(options.chance)
    this.drains = new Drains({
      events: options.events,
      drainTimeoutMs: () => this.limits.drainTimeoutMs,
      workers: () => this.workers(),
      onChanged: (worker) => this.poolOf(worker).refresh(),
      onDraining: options.onDraining,
      onDrained: () => this.turn(),
    })
    this.poolWatch = new PoolWatch({
      events: options.events,
      retire: (worker, reason, why) => this.retire(worker, reason, why),
      kill: (worker, why) => this.kill(worker, why),
      chance: options.chance,
    })
    this.watch = new WorkerWatch({
      events: options.events,
      limits: () => this.limits,
      workers: () => this.workers(),
      privateSocket: options.privateSocket,
      token: options.forwardToken,
      onUp: (worker) => {
        worker.upMs = Date.now()
        this.turn()
      },
      retire: (worker, reason) => this.retire(worker, reason),
      onLooked: () => this.pollPools(),
    })
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

  /** Ends what is left without waiting for it. */
  stopNow(): void {
    this.stopping = true
    this.killsAtOnce = true
    for (const worker of this.workers()) worker.process?.kill('SIGKILL')
    this.turn()
  }

  /** How often the seat was filled again. */
  restarts(pool: string, slot: number): number {
    return this.records.restarts({ pool, slot })
  }

  /** Something that is wanted has changed. Resolves when `isReached`; rejects as soon as `failure` gives a reason. */
  pursue(isReached: () => boolean, failure: () => Error | undefined = () => undefined): Promise<void> {
    const reached = this.goals.add({ isReached, failure })
    this.turn()
    return reached
  }

  /** The worker serves on until another has taken its place. */
  retire(worker: PoolWorker, reason: RetireReason, why?: string): void {
    if (worker.retiring !== undefined) return
    // Who drains is replaced already; but one that hangs will not end by itself.
    if (worker.state !== 'ready' && !(worker.state === 'draining' && reason === 'hang')) return
    worker.retiring = reason
    this.options.events.emit('workerRetiring', { ...worker.workerSlot, reason: why ?? reason })
    this.poolOf(worker).refresh()
    this.turn()
  }

  /** Processes of a seat that are not gone. */
  inSlot({ pool, slot }: PlannedSlot): PoolWorker[] {
    return [...(this.options.pools.get(pool)?.workers ?? [])].filter((worker) => worker.slot === slot)
  }

  /** Has every seat of the pool the worker that it should have, and nobody else? Of a pool that is no more: yes. */
  isAsWanted(name: string): boolean {
    const wanted = this.wanted.get(name)
    if (wanted === undefined) return true
    const workers = [...this.workers()].filter(({ pool }) => pool === name)
    for (let slot = 0; slot < wanted.workers; slot++) {
      if (wanted.held.has(slot) || wanted.broken.has(slot)) continue
      if (!workers.some((worker) => worker.slot === slot && worker.state === 'ready')) return false
    }
    return workers.every(({ slot, generation }) => slot < wanted.workers && generation === wanted.generation)
  }

  /** Workers of pools that nobody wants any more. */
  superfluous(): PoolWorker[] {
    return [...this.workers()].filter(({ pool }) => this.wanted.get(pool)?.workers === 0)
  }

  /** How many starts of a pool's workers have failed. */
  failures(pool: string): number {
    return this.records.failuresOf(pool)
  }

  /** Seats of a pool whose worker could not be started when that was last tried, and why. */
  notStartedIn(pool: string): NotStarted[] {
    return this.records.notStartedIn(pool)
  }

  /** How long the loop of a worker has not turned. */
  silentMs(worker: PoolWorker): number {
    return this.watch.silentMs(worker)
  }

  exitReasonsOf(pool: string): string {
    return this.exitReasons.ofPool(pool) || 'it said nothing'
  }

  forgive(workerSlot: PlannedSlot): void {
    this.records.forgive(workerSlot)
    this.turn()
  }

  *workers(): Generator<PoolWorker> {
    for (const pool of this.options.pools.values()) yield* pool.workers
  }

  private pollPools(): void {
    const now = Date.now()
    if (!this.stopping) for (const [name, wanted] of this.wanted) this.poolWatch.poll(this.poolOf({ pool: name }), wanted, now)
    if (!this.stopping && now - this.socketsMs >= SOCKETS_EVERY_MS) this.lookForSockets(now)
    this.turn()
  }

  /** Something may have cleared the folder of temporary files: then nobody can forward a request to these workers, or probe them. */
  private lookForSockets(now: number): void {
    this.socketsMs = now
    for (const worker of this.workers()) {
      const fault = worker.state === 'ready' ? this.options.socketFault(worker) : undefined
      if (fault !== undefined) this.retire(worker, 'sockets', fault)
    }
  }

  private hasWorkers(): boolean {
    return this.workers().next().done !== true
  }

  private poolOf(workerSlot: { readonly pool: string }): Pool {
    return this.options.pools.get(workerSlot.pool) as Pool
  }

  /** Asks the plan and does what it says. What is done may call for a turn of its own: that comes with the next. */
  private turn(): void {
    if (!this.running || this.turning) return
    this.turning = true
    const now = Date.now()
    // Whatever goes wrong, there is another turn.
    let nextMs = now + SOON_MS
    try {
      const { actions, nextMs: plannedMs } = this.plan(now)
      for (const action of actions) this.carryOut(action, now)
      if (actions.length === 0) nextMs = plannedMs
    } finally {
      this.turning = false
      clearTimeout(this.timer)
      if (nextMs !== Number.POSITIVE_INFINITY) this.timer = setTimeout(() => this.turn(), Math.max(nextMs - now, 1))
    }
    this.goals.poll()
  }

  private plan(now: number): Plan {
    const { drainTimeoutMs, maxRestarts, restartWindowMs, maxRestartDelayMs } = this.limits
    return plan(
      {
        pools: [...this.wanted.values()],
        stopping: this.stopping,
        drainTimeoutMs: this.killsAtOnce ? 0 : drainTimeoutMs,
        maxRestarts,
        restartWindowMs,
        outageRetryMs: outageRetryMs(maxRestartDelayMs),
      },
      {
        workers: [...this.workers()].map((worker) => this.planned(worker)),
        history: (workerSlot) => this.records.history(workerSlot),
        provenPools: this.proven,
      },
      now,
    )
  }

  private planned(worker: PoolWorker): PlannedWorker {
    const { id, pool, slot, generation, sinceMs, upMs, retiring, sealed, drained, stoppingMs: leavingMs, state } = worker
    const silentMs = this.watch.silentMs(worker)
    return {
      id,
      pool,
      slot,
      generation,
      sinceMs,
      upMs,
      silentMs,
      retiring,
      sealed,
      drained,
      stoppingMs: leavingMs,
      stopTimeoutMs: worker.killed ? undefined : worker.settings.stopTimeoutMs,
      state: state === 'gone' ? 'draining' : state,
    }
  }

  private carryOut(action: Action, now: number): void {
    switch (action.do) {
      case 'start':
        return this.startWorker(action.workerSlot, action.generation, now)
      case 'admit':
        return this.withWorker(action.id, (worker) => this.admit(worker, now))
      case 'drain':
        return this.withWorker(action.id, (worker) => {
          this.drains.begin(worker, now, this.killsAtOnce ? 0 : worker.settings.drainSpreadMs)
        })
      case 'seal':
        return this.withWorker(action.id, (worker) => this.drains.seal(worker))
      case 'leave':
        return this.withWorker(action.id, (worker) => {
          worker.stoppingMs = now
          // Until the runtime is loaded there is nobody to hear the message, and nobody to ignore the signal.
          if (worker.state === 'starting') worker.process?.kill('SIGTERM')
          worker.send({ switchyard: 'leave' })
        })
      case 'kill':
        return this.withWorker(action.id, (worker) => this.kill(worker, action.why))
      case 'kill-late':
        return this.withWorker(action.id, (worker) => this.kill(worker, this.watch.whyLate(worker, action.afterMs)))
      case 'break':
        this.wanted.get(action.workerSlot.pool)?.broken.add(action.workerSlot.slot)
        return void this.options.events.emit('seatBroken', {
          ...action.workerSlot,
          failures: this.records.history(action.workerSlot)?.failures ?? 0,
        })
      case 'give-up':
        return this.giveUp(action.pool)
      case 'note-outage':
        return this.recordOutage(action.pool, now)
      case 'revert':
        return this.wanted.get(action.pool)?.revert(action.why)
      case 'note-replaced': {
        const wanted = this.wanted.get(action.pool) as DesiredPool
        wanted.replaced = true
        return
      }
    }
  }

  private withWorker(id: number, then: (worker: PoolWorker) => void): void {
    for (const worker of this.workers()) if (worker.id === id) return then(worker)
  }

  private startWorker(workerSlot: PlannedSlot, generation: number, now: number): void {
    const { events } = this.options
    const version = (this.wanted.get(workerSlot.pool) as DesiredPool).versionOf(generation)
    const { worker, failure } = this.starts.start({ ...workerSlot, generation, version, nowMs: now }, (worker) => ({
      onMessage: (message) => this.onMessage(worker, message),
      onListen: (request) => this.options.onListen(worker, request),
      onLine: (stream, line) => {
        if (stream === 'stderr' && this.watch.onLine(worker, line)) return
        if (stream === 'stderr' && line.trim() !== '') this.exitReasons.add(worker, line)
        events.emit('workerOutput', { ...worker.workerSlot, stream, line })
      },
      onExit: (code, signal) => this.exited(worker, code, signal),
      onFailed: (error) => {
        this.discard(worker)
        this.options.onGone(worker)
        this.notStarted(worker, generation, error)
        this.turn()
      },
    }))
    if (worker === undefined) return this.notStarted(workerSlot, generation, failure)
    this.poolOf(workerSlot).add(worker)
    // Without a process; `onFailed` tells why before anything else happens.
    if (worker.process?.pid === 0) return
    this.records.countStart(workerSlot)
    events.emit('workerStarted', worker.workerSlot)
  }

  /** A worker's process could not be made: the next start waits as after a worker that has failed, and the others serve on. */
  private notStarted({ pool, slot }: PlannedSlot, generation: number, failure: unknown): void {
    const workerSlot = { pool, slot }
    const message = describeStartFailure(failure)
    const wanted = this.wanted.get(pool) as DesiredPool
    this.exitReasons.didNotStart(workerSlot, message)
    this.records.recordNotStarted(workerSlot, message)
    const failsReload = wanted.previous !== undefined && generation === wanted.generation
    if (failsReload) wanted.failure ??= `${pool}/${slot} could not be started: ${message}`
    const restartInMs = failsReload || this.stopping ? undefined : this.postpone(workerSlot, Date.now(), { isAppsFault: false })
    this.options.events.emit('workerNotStarted', { ...workerSlot, generation, message, restartInMs })
  }

  private onMessage(worker: PoolWorker, message: ToPrimary): void {
    switch (message.switchyard) {
      case 'listening':
        if (worker.state !== 'starting' || this.stopping || worker.address !== undefined) return
        worker.address = message.address
        return this.watch.listens(worker)
      case 'header-limit':
        return this.options.onHeaderLimit(message.bytes)
      case 'report':
        worker.load.report(message.load)
        return this.options.onReported(worker)
      case 'learned':
        return this.options.onLearned(worker, message.keys)
      case 'session-report':
        worker.sessions = message.report
        return
      case 'notice':
        if (message.once === true && !this.notices.isFirst(message.message)) return
        return void this.options.events.emit('workerNoticed', { ...worker.workerSlot, level: message.level, message: message.message })
      case 'drained':
        return this.drains.onMessage(worker, message.last)
      case 'sessions':
        // Whoever is gone reads nothing any more.
        if (worker.state !== 'gone') this.options.onSessions(worker, message)
        return
    }
  }

  private admit(worker: PoolWorker, now: number): void {
    this.endOutage(worker, now)
    worker.state = 'ready'
    worker.everReady = true
    this.proven.add(worker.pool)
    this.exitReasons.cameUp(worker)
    this.options.events.emit('workerReady', { ...worker.workerSlot, startMs: now - worker.sinceMs })
    worker.sinceMs = now
    this.options.onReady(worker)
  }

  /** Nobody of its pool served until now: what kept the others down may be over for them too. */
  private endOutage({ pool }: PoolWorker, now: number): void {
    const wanted = this.wanted.get(pool) as DesiredPool
    if (this.poolOf({ pool }).readyCount > 0) return
    for (const slot of wanted.broken) this.records.forgive({ pool, slot })
    wanted.broken.clear()
    if (wanted.outageSinceMs === undefined) return
    this.options.events.emit('outageEnded', { pool, afterMs: now - wanted.outageSinceMs })
    wanted.outageSinceMs = undefined
  }

  private kill(worker: PoolWorker, why: string): void {
    this.exitReasons.add(worker, why)
    this.failReload(worker)
    worker.stoppingMs = Date.now()
    worker.killed = true
    void this.watch.untilRead(worker).then(() => {
      if (worker.state === 'gone') return
      this.options.events.emit('workerNoticed', { ...worker.workerSlot, level: 'warn', message: `killed: ${why}` })
      worker.process?.kill('SIGKILL')
    })
  }

  private exited(worker: PoolWorker, code: number | null, signal: string | null): void {
    const now = Date.now()
    const wanted = this.wanted.get(worker.pool) as DesiredPool
    const wasWell = worker.state === 'ready' && now - worker.sinceMs >= WELL_MS
    const expected = this.stopping || worker.state === 'draining' || worker.stoppingMs !== undefined
    const how = signal === null ? `exit code ${code}` : `killed by ${signal}`
    if (worker.stoppingMs === undefined) this.exitReasons.add(worker, how)
    if (!worker.everReady) this.exitReasons.didNotComeUp(worker)
    const failsReload = this.failReload(worker)
    // Who leaves as told is no failure, and those of another generation say nothing of the one that comes.
    const isFailure = !expected || (worker.killed && !worker.everReady)
    const isWaitedFor = isFailure && !failsReload && worker.generation === wanted.generation
    const delayMs = isWaitedFor ? this.postpone(worker, now, { wasWell }) : undefined
    this.discard(worker)
    this.options.events.emit('workerExited', {
      ...worker.workerSlot,
      code,
      signal,
      expected,
      everReady: worker.everReady,
      restartInMs: expected ? undefined : delayMs,
    })
    this.options.onGone(worker)
    this.drains.sealEmpty()
    this.turn()
  }

  /** Its process is no more. */
  private discard(worker: PoolWorker): void {
    worker.state = 'gone'
    this.watch.forget(worker)
    this.poolOf(worker).remove(worker)
  }

  /** A worker of the new generation has ended, or must: with that the reload has failed. */
  private failReload(worker: PoolWorker): boolean {
    const wanted = this.wanted.get(worker.pool) as DesiredPool
    const isOfReload = wanted.previous !== undefined && worker.generation === wanted.generation && worker.state !== 'draining'
    if (isOfReload) wanted.failure ??= `${worker.pool}/${worker.slot}: ${this.exitReasons.of(worker)}`
    return isOfReload
  }

  /** Sets when the seat may be filled again; answers in how many milliseconds. */
  private postpone(workerSlot: PlannedSlot, now: number, { wasWell = false, isAppsFault = true }): number {
    const { restartDelayMs: first, maxRestartDelayMs: longest, restartWindowMs } = this.limits
    const delayMs = this.records.postpone(workerSlot, now, { wasWell, isAppsFault, first, longest, windowMs: restartWindowMs })
    this.poolOf(workerSlot).nextStartMs = now + delayMs
    return delayMs
  }

  private recordOutage(pool: string, now: number): void {
    const wanted = this.wanted.get(pool) as DesiredPool
    wanted.outageSinceMs = now
    const { onOutage } = wanted.version.settings
    this.options.events.emit('outageBegan', {
      pool,
      retryMs: outageRetryMs(this.limits.maxRestartDelayMs),
      exitReasons: this.exitReasonsOf(pool),
    })
    if (onOutage === 'exit') this.giveUp(pool, `every worker of pool '${pool}' has failed too often, and its 'onOutage' says to exit`)
  }

  private giveUp(pool: string, what = `no worker of pool '${pool}' came up`): void {
    this.stopping = true
    const { app } = (this.wanted.get(pool) as DesiredPool).version.settings
    const error = new BalancerError('ERR_APP_FAILED', `${what} (${app}): ${this.exitReasonsOf(pool)}`, { source: 'app' })
    this.options.onFailed(this.options.listenError(pool) ?? error)
  }
}
