// The life of a worker's process, seen from the primary: it starts, is admitted, is told to stop or is killed, and exits.
// A failure postpones the next start of its slot and fails the reload that the worker belongs to.

import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { LimitSettings } from '../settings.ts'
import { slotName } from '../worker-name.ts'
import type { DesiredPool } from './desired-pool.ts'
import type { ExitReasons } from './exit-reasons.ts'
import type { Outages } from './outages.ts'
import type { PlannedSlot } from './plan-input.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { SlotHistory } from './slot-history.ts'
import type { SupervisedPool } from './supervised-pool.ts'
import type { WorkerWatch } from './watch/worker-watch.ts'
import type { WorkerMessages } from './worker-messages.ts'
import type { WorkerStarts } from './workers/worker-starts.ts'

/** A worker that was ready for this long was stable: its exit is not one more failure in a row. */
const STABLE_MS = 5000

/** What the user can do when the system refuses a start, by error code. */
const REMEDIES: Readonly<Record<string, string>> = {
  E2BIG:
    "its arguments and environment are too large: shorten 'args' and 'env' of the pool, or the balancer's environment (128 KiB a variable)",
  EAGAIN: 'this user has reached its limit of processes: raise it (ulimit -u, TasksMax of a service, the pids limit of a container)',
  EMFILE: 'the balancer has reached its limit of descriptors: raise it (ulimit -n, LimitNOFILE of a service)',
  ENFILE: 'the system has no descriptors left: raise fs.file-max, or find the process that holds so many',
  ENOMEM: 'the system has no memory left: run fewer workers, limit their size (maxMemory), or add memory',
  EPERM: "the balancer lacks the permission: check 'uid' and 'gid' of the pool, and the limits of a sandbox",
  EACCES: "the balancer lacks the permission: check that its user may execute Node and enter the pool's 'cwd'",
  ENOENT: "Node's executable or the pool's 'cwd' is gone: check both, and restart the balancer if Node has moved",
  ENOSPC: 'the disk has no space or no inodes left: free some, or set TMPDIR to another folder',
  EDQUOT: 'the disk quota is used up: free some space, or set TMPDIR to another folder',
  EROFS: 'the file system is read-only: set TMPDIR to another folder',
}

export interface WorkerLifecycleOptions {
  readonly events: BalancerEmitter
  readonly limits: () => LimitSettings
  readonly poolOf: (name: string) => SupervisedPool
  readonly desiredOf: (pool: string) => DesiredPool
  readonly starts: WorkerStarts
  readonly history: SlotHistory
  readonly exitReasons: ExitReasons
  readonly outages: Outages
  readonly watch: WorkerWatch
  readonly messages: WorkerMessages
  /** Are all workers being stopped? Then no exit is a failure. */
  readonly isStopping: () => boolean
  /** The worker may have connections now. */
  readonly onReady: (worker: PoolWorker) => void
  /** The process is gone. Its hand-offs have still to be taken back. */
  readonly onGone: (worker: PoolWorker) => void
  /** A worker has exited or could not be started: it is time to plan again. */
  readonly onEnded: () => void
}

export class WorkerLifecycle {
  private readonly options: WorkerLifecycleOptions
  private readonly proven = new Set<string>()

  constructor(options: WorkerLifecycleOptions) {
    this.options = options
  }

  /** Pools of which a worker has been ready at least once. */
  get provenPools(): ReadonlySet<string> {
    return this.proven
  }

  start(workerSlot: PlannedSlot, generation: number, now: number): void {
    const { events, history, messages, poolOf, desiredOf, starts } = this.options
    const version = desiredOf(workerSlot.pool).versionOf(generation)
    const { worker, failure } = starts.start({ ...workerSlot, generation, version, nowMs: now }, (worker) => ({
      onMessage: (message) => messages.publish(worker, message),
      onLine: (stream, line) => this.onLine(worker, stream, line),
      onAccess: (block) => events.emit('requestsLogged', { pool: worker.pool, slot: worker.slot, block, lost: 0 }),
      onExit: (code, signal) => this.exited(worker, code, signal),
      onFailed: (error) => {
        this.discard(worker)
        this.options.onGone(worker)
        this.notStarted(worker, generation, error)
        this.options.onEnded()
      },
    }))
    if (worker === undefined) return this.notStarted(workerSlot, generation, failure)
    poolOf(workerSlot.pool).add(worker)
    // There is no process. `onFailed` follows at once.
    if (worker.process?.pid === 0) return
    if (worker.isOneOff) return void events.emit('jobStarted', worker.workerSlot)
    history.countStart(workerSlot)
    events.emit('workerStarted', worker.workerSlot)
  }

  admit(worker: PoolWorker, now: number): void {
    const { events, exitReasons, outages, poolOf, desiredOf, onReady } = this.options
    if (!worker.isOneOff) outages.end(desiredOf(worker.pool), poolOf(worker.pool), now)
    worker.state = 'ready'
    worker.everReady = true
    this.proven.add(worker.pool)
    exitReasons.onReady(worker)
    if (!worker.isOneOff) events.emit('workerReady', { ...worker.workerSlot, startMs: now - worker.sinceMs })
    worker.sinceMs = now
    onReady(worker)
  }

  /** Tells a worker to exit. */
  stop(worker: PoolWorker, now: number): void {
    worker.stoppingMs = now
    // Before the runtime is loaded, no code reads the message and no code ignores the signal.
    if (worker.state === 'starting') worker.process?.kill('SIGTERM')
    worker.send({ switchyard: 'leave' })
  }

  kill(worker: PoolWorker, why: string): void {
    const { events, exitReasons, watch } = this.options
    exitReasons.add(worker, why)
    this.failReload(worker)
    worker.stoppingMs = Date.now()
    worker.killed = true
    void watch.untilStackRead(worker).then(() => {
      if (worker.state === 'gone') return
      events.emit('workerNoticed', { ...worker.workerSlot, level: 'warn', message: `killed: ${why}` })
      worker.process?.kill('SIGKILL')
    })
  }

  private onLine(worker: PoolWorker, stream: 'stdout' | 'stderr', line: string): void {
    const { events, exitReasons, watch } = this.options
    if (stream === 'stderr' && watch.onLine(worker, line)) return
    if (stream === 'stderr' && line.trim() !== '') exitReasons.add(worker, line)
    events.emit('workerOutput', { ...worker.workerSlot, stream, line })
  }

  /** The system made no process. The next start waits as after a failure, and the other workers go on serving. */
  private notStarted({ pool, slot }: PlannedSlot, generation: number, failure: unknown): void {
    const { events, exitReasons, history, desiredOf, isStopping } = this.options
    const workerSlot = { pool, slot }
    const message = describeStartFailure(failure)
    const desired = desiredOf(pool)
    exitReasons.recordNotStarted(workerSlot, message)
    history.recordNotStarted(workerSlot, message)
    if (desired.isOneOff) {
      const startedMs = Date.now()
      const exit = { startedMs, endedMs: startedMs, code: null, signal: null, isGood: false }
      events.emit('workerNotStarted', { ...workerSlot, generation, message, restartInMs: undefined })
      return void events.emit('jobEnded', { ...workerSlot, generation, pid: 0, exit })
    }
    const failsReload = desired.previous !== undefined && generation === desired.generation
    if (failsReload) desired.failure ??= `${pool}/${slot} could not be started: ${message}`
    const restartInMs = failsReload || isStopping() ? undefined : this.postpone(workerSlot, Date.now(), { isAppFault: false })
    events.emit('workerNotStarted', { ...workerSlot, generation, message, restartInMs })
  }

  private exited(worker: PoolWorker, code: number | null, signal: string | null): void {
    const { events, exitReasons, desiredOf, isStopping, onGone, onEnded } = this.options
    const now = Date.now()
    if (worker.isOneOff) return this.ended(worker, code, signal)
    const desired = desiredOf(worker.pool)
    const isFinal = this.isFinal(worker, code)
    if (isFinal && worker.generation === desired.generation) desired.finished.add(worker.slot)
    const wasStable = worker.state === 'ready' && now - worker.sinceMs >= STABLE_MS
    const expected = isFinal || isStopping() || worker.state === 'draining' || worker.stoppingMs !== undefined
    if (worker.stoppingMs === undefined) exitReasons.add(worker, signal === null ? `exit code ${code}` : `killed by ${signal}`)
    if (!worker.everReady) exitReasons.recordNeverReady(worker)
    const failsReload = !isFinal && this.failReload(worker)
    // An exit that was asked for is no failure, and workers of another generation say nothing of the next one.
    const isFailure = !expected || (worker.killed && !worker.everReady)
    const postpones = isFailure && !failsReload && worker.generation === desired.generation
    const delayMs = postpones ? this.postpone(worker, now, { wasStable }) : undefined
    this.discard(worker)
    events.emit('workerExited', {
      ...worker.workerSlot,
      code,
      signal,
      expected,
      everReady: worker.everReady,
      isFinal,
      restartInMs: expected ? undefined : delayMs,
    })
    onGone(worker)
    onEnded()
  }

  /** Must the slot of a worker that ends with this code stay empty? A listening app that has never been ready has failed. */
  private isFinal({ settings, everReady, stoppingMs, state }: PoolWorker, code: number | null): boolean {
    if (code === null || state === 'draining' || stoppingMs !== undefined || this.options.isStopping()) return false
    return settings.stopExitCodes.includes(code) && (everReady || !settings.listens)
  }

  /** A one-off process has ended. Another one starts at the next time of the schedule. */
  private ended(worker: PoolWorker, code: number | null, signal: string | null): void {
    const isGood = code === 0 || (code !== null && worker.settings.stopExitCodes.includes(code))
    // The clock may have been set back meanwhile.
    const exit = { startedMs: worker.startedMs, endedMs: Math.max(worker.startedMs, Date.now()), code, signal, isGood }
    this.discard(worker)
    this.options.events.emit('jobEnded', { ...worker.workerSlot, exit })
    this.options.onGone(worker)
    this.options.onEnded()
  }

  private discard(worker: PoolWorker): void {
    worker.state = 'gone'
    this.options.watch.forget(worker)
    this.options.poolOf(worker.pool).remove(worker)
  }

  /** A worker of the new generation has exited, or must. Returns whether that fails a reload. */
  private failReload(worker: PoolWorker): boolean {
    const desired = this.options.desiredOf(worker.pool)
    const fails = desired.previous !== undefined && worker.generation === desired.generation && worker.state !== 'draining'
    if (fails) desired.failure ??= `${slotName(worker.workerSlot)}: ${this.options.exitReasons.of(worker)}`
    return fails
  }

  /** Sets when the slot may be filled again. Returns in how many milliseconds. */
  private postpone(workerSlot: PlannedSlot, now: number, { wasStable = false, isAppFault = true }): number {
    const { restartDelayMs: firstMs, maxRestartDelayMs: longestMs, restartWindowMs: windowMs } = this.options.limits()
    const delayMs = this.options.history.postpone(workerSlot, now, { wasStable, isAppFault, firstMs, longestMs, windowMs })
    this.options.poolOf(workerSlot.pool).nextStartMs = now + delayMs
    return delayMs
  }
}

/** Why a worker could not be started, with what can be done about it. */
function describeStartFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, message } = error as NodeJS.ErrnoException
  const remedy = error instanceof BalancerError || code === undefined ? undefined : REMEDIES[code]
  return remedy === undefined ? message : `${message}; ${remedy}`
}
