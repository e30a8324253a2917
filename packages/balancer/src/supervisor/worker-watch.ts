// Watches each worker while it lives: does its loop turn, do its probes pass. What is found is told; the supervisor acts on it.

import type { BalancerEmitter } from '../events.ts'
import type { LimitSettings } from '../settings.ts'
import type { RetireReason } from './plan-input.ts'
import type { PoolWorker } from './pool-worker.ts'
import { HangStackReader } from './workers/hang-stack.ts'
import { isInspected } from './workers/inspector-arguments.ts'
import { Prober } from './workers/probe.ts'

const POLL_MS = 250
/** The primary itself did not run for so long: what it missed says nothing of its workers. */
const GAP_MS = 4 * POLL_MS
/** A worker that hangs is not killed before that. */
const STACK_MS = 3000

export interface WorkerWatchOptions {
  readonly events: BalancerEmitter
  readonly limits: () => LimitSettings
  readonly workers: () => Iterable<PoolWorker>
  /** Where a worker's server listens privately, and what proves there that it is we who ask. */
  readonly privateSocket: (worker: PoolWorker) => string
  readonly token: string
  /** It listens, and has passed its probe if it has one. */
  readonly onUp: (worker: PoolWorker) => void
  readonly retire: (worker: PoolWorker, reason: RetireReason) => void
  readonly onPolled: () => void
}

/** What is known of one worker. */
interface Watched {
  turns: number
  /** When that was last looked at. */
  lookedMs: number
  /** When its loop was last seen to have turned, and the look before, after which it had. */
  turnedMs: number
  turnedAfterMs: number
  prober: Prober | undefined
  stack: HangStackReader | undefined
  /** Its stack is being read. */
  reading: Promise<void> | undefined
}

export class WorkerWatch {
  private readonly options: WorkerWatchOptions
  private readonly watched = new Map<PoolWorker, Watched>()
  private timer: NodeJS.Timeout | undefined
  private lookedMs = 0

  constructor(options: WorkerWatchOptions) {
    this.options = options
  }

  start(): void {
    this.lookedMs = performance.now()
    this.timer = setInterval(() => this.poll(), POLL_MS)
  }

  stop(): void {
    clearInterval(this.timer)
    for (const worker of this.watched.keys()) this.forget(worker)
  }

  /** Its app listens. */
  listens(worker: PoolWorker): void {
    const { readyWhen, healthWhen } = worker.settings
    const watched = this.of(worker)
    watched.turnedMs = performance.now()
    if (readyWhen === undefined && healthWhen === undefined) return this.options.onUp(worker)
    watched.prober = new Prober({
      socketPath: this.options.privateSocket(worker),
      token: this.options.token,
      readyWhen,
      healthWhen,
      onReady: () => this.options.onUp(worker),
      onSick: (reason) => {
        this.options.events.emit('workerNoticed', { ...worker.workerSlot, level: 'warn', message: `its health probe fails: ${reason}` })
        this.options.retire(worker, 'health')
      },
      onWell: () => {},
    })
    watched.prober.start()
  }

  /** Why a worker that starts was not up in time, and what to do about it. */
  whyLate(worker: PoolWorker, afterMs: number): string {
    const within = `within ${afterMs} ms (startTimeoutMs)`
    if (worker.address === undefined)
      return `no server listened in it ${within}: does the app call listen()? If it needs longer to start, raise startTimeoutMs`
    const failure = this.watched.get(worker)?.prober?.lastFailure ?? 'no answer yet'
    return `it listens, but its probe readyWhen did not pass ${within}: ${failure}`
  }

  /** Its loop is known to have turned so long ago; perhaps it has since. */
  silentMs(worker: PoolWorker): number {
    const watched = this.watched.get(worker)
    if (watched === undefined) return 0
    const now = performance.now()
    note(worker, watched, now)
    return now - watched.turnedAfterMs
  }

  /** A line that it has written on stderr. True: it is about the inspector that was opened from here. */
  onLine(worker: PoolWorker, line: string): boolean {
    return this.stackOf(worker)?.hear(line) ?? false
  }

  /** Resolves when the stack of a worker that hangs has been read, or can't be. */
  async untilRead(worker: PoolWorker): Promise<void> {
    await this.watched.get(worker)?.reading
  }

  forget(worker: PoolWorker): void {
    this.watched.get(worker)?.prober?.stop()
    this.watched.delete(worker)
  }

  private poll(): void {
    const now = performance.now()
    const slept = now - this.lookedMs > GAP_MS
    this.lookedMs = now
    for (const worker of this.options.workers()) {
      const watched = this.of(worker)
      note(worker, watched, now)
      // Who is looked at with a debugger may stand at a breakpoint.
      if (slept || worker.address === undefined || isInspected(worker.settings)) watched.turnedMs = now
      if (isServing(worker) && now - watched.turnedMs >= this.options.limits().hangTimeoutMs) this.hangs(worker, watched, now)
    }
    this.options.onPolled()
  }

  private hangs(worker: PoolWorker, watched: Watched, now: number): void {
    if (worker.retiring === 'hang') return
    this.options.events.emit('workerHung', { ...worker.workerSlot, busyMs: Math.round(now - watched.turnedMs) })
    watched.reading = this.tellStack(worker)
    // Whatever it was to be replaced for: now it is not waited for.
    worker.retiring = undefined
    this.options.retire(worker, 'hang')
  }

  private async tellStack(worker: PoolWorker): Promise<void> {
    // Whatever keeps it from being read, the worker that hangs has to go.
    const stack = await this.stackOf(worker)
      ?.read(STACK_MS)
      .catch(() => undefined)
    this.options.events.emit('workerStack', { ...worker.workerSlot, stack })
  }

  private stackOf(worker: PoolWorker): HangStackReader | undefined {
    const watched = this.of(worker)
    const pid = worker.process?.pid ?? 0
    if (pid !== 0) watched.stack ??= new HangStackReader(pid)
    return watched.stack
  }

  private of(worker: PoolWorker): Watched {
    const known = this.watched.get(worker)
    if (known !== undefined) return known
    const now = performance.now()
    const watched: Watched = {
      ...{ turns: 0, lookedMs: now, turnedMs: now, turnedAfterMs: now },
      ...{ prober: undefined, stack: undefined, reading: undefined },
    }
    this.watched.set(worker, watched)
    return watched
  }
}

function note({ load: { turns } }: PoolWorker, watched: Watched, now: number): void {
  if (turns !== watched.turns) {
    watched.turns = turns
    watched.turnedMs = now
    watched.turnedAfterMs = watched.lookedMs
  }
  watched.lookedMs = now
}

/** Has it requests that would wait for ever? */
function isServing({ state, stoppingMs: leavingMs }: PoolWorker): boolean {
  return state === 'ready' || (state === 'draining' && leavingMs === undefined)
}
