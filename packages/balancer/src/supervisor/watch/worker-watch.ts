// Watches each worker from the primary: whether its event loop turns and its probes pass. The supervisor acts on what it reports.

import type { BalancerEmitter } from '../../events.ts'
import type { LimitSettings } from '../../settings.ts'
import type { RetireReason } from '../plan-input.ts'
import type { PoolWorker } from '../pool-worker.ts'
import { HangStackReader } from '../workers/hang-stack.ts'
import { isInspected } from '../workers/inspector-arguments.ts'
import { Prober } from '../workers/probe.ts'

const POLL_MS = 250
/** After a longer gap between polls the primary itself did not run, so the silence of a worker in that time means nothing. */
const MAX_POLL_GAP_MS = 4 * POLL_MS
/** How long reading the stack of a worker that hangs may delay its kill. */
const STACK_TIMEOUT_MS = 3000

export interface WorkerWatchOptions {
  readonly events: BalancerEmitter
  readonly limits: () => LimitSettings
  readonly workers: () => Iterable<PoolWorker>
  /** Where a worker's server listens privately. */
  readonly privateSocket: (worker: PoolWorker) => string
  /** Proves to the worker that a request comes from the primary. */
  readonly token: string
  /** The worker listens, and has passed its `readyWhen` probe if it has one. */
  readonly onUp: (worker: PoolWorker) => void
  readonly retire: (worker: PoolWorker, reason: RetireReason) => void
  readonly onPolled: () => void
}

/** What is known of one worker. */
interface Watched {
  turns: number
  /** When `turns` was last read. */
  polledMs: number
  /** The poll that last found a new turn, and the poll before it: the turn was between the two. */
  turnedMs: number
  turnedAfterMs: number
  prober: Prober | undefined
  stackReader: HangStackReader | undefined
  /** Set while its stack is read. */
  readingStack: Promise<void> | undefined
}

export class WorkerWatch {
  private readonly options: WorkerWatchOptions
  private readonly watched = new Map<PoolWorker, Watched>()
  private timer: NodeJS.Timeout | undefined
  private polledMs = 0

  constructor(options: WorkerWatchOptions) {
    this.options = options
  }

  start(): void {
    this.polledMs = performance.now()
    this.timer = setInterval(() => this.poll(), POLL_MS)
  }

  stop(): void {
    clearInterval(this.timer)
    for (const worker of this.watched.keys()) this.forget(worker)
  }

  /** The worker's app listens, or does what else its pool waits for. */
  onListening(worker: PoolWorker): void {
    const { readyWhen, healthWhen } = worker.settings
    const watched = this.watchedOf(worker)
    watched.turnedMs = performance.now()
    if (readyWhen === undefined && healthWhen === undefined) return this.options.onUp(worker)
    watched.prober = new Prober({
      socketPath: this.options.privateSocket(worker),
      token: this.options.token,
      readyWhen,
      healthWhen,
      onReady: () => this.options.onUp(worker),
      onUnhealthy: (reason) => {
        this.options.events.emit('workerNoticed', { ...worker.workerSlot, level: 'warn', message: `its health probe fails: ${reason}` })
        this.options.retire(worker, 'health')
      },
    })
    watched.prober.start()
  }

  /** Why a starting worker was not up in time, and what to do about it. */
  whyLate(worker: PoolWorker, afterMs: number): string {
    const within = `within ${afterMs} ms (startTimeoutMs)`
    const { listens, readyMessage } = worker.settings
    if (!listens && !readyMessage) return `its event loop did not turn ${within}: check what the app does at its start`
    if (readyMessage && !worker.saidReady)
      return `the app did not send its message ${within}: check that it calls process.send('ready'), or raise startTimeoutMs`
    if (worker.address === undefined)
      return `the app did not listen ${within}: check that it calls listen(), or raise startTimeoutMs if it needs longer to start`
    const failure = this.watched.get(worker)?.prober?.lastFailure ?? 'no answer yet'
    return `the app listens, but its readyWhen probe did not pass ${within}: ${failure}`
  }

  /** How long ago the worker's loop surely turned. It may have turned later. */
  silentMs(worker: PoolWorker): number {
    const watched = this.watched.get(worker)
    if (watched === undefined) return 0
    const now = performance.now()
    recordTurns(worker, watched, now)
    return now - watched.turnedAfterMs
  }

  /**
   * For how long at least the worker's loop has not turned: since the poll that found its last turn. A worker that has not begun, or that a debugger may hold,
   * counts as turning.
   */
  stillMs(worker: PoolWorker): number {
    const watched = this.watched.get(worker)
    if (watched === undefined) return 0
    const now = performance.now()
    recordTurns(worker, watched, now)
    return now - watched.turnedMs
  }

  /** A line that the worker printed on stderr. Returns true if it is Node's message about the inspector that the primary opened. */
  onLine(worker: PoolWorker, line: string): boolean {
    return this.stackReaderOf(worker)?.onLine(line) ?? false
  }

  /** Resolves when the stack of a worker that hangs has been read, or reading it has failed. */
  async untilStackRead(worker: PoolWorker): Promise<void> {
    await this.watched.get(worker)?.readingStack
  }

  forget(worker: PoolWorker): void {
    this.watched.get(worker)?.prober?.stop()
    this.watched.delete(worker)
  }

  private poll(): void {
    const now = performance.now()
    const slept = now - this.polledMs > MAX_POLL_GAP_MS
    this.polledMs = now
    for (const worker of this.options.workers()) {
      const watched = this.watchedOf(worker)
      recordTurns(worker, watched, now)
      // A worker with a debugger attached may be paused at a breakpoint.
      if (slept || !worker.hasBegun || isInspected(worker.settings)) watched.turnedMs = now
      if (isServing(worker) && now - watched.turnedMs >= this.options.limits().hangTimeoutMs) this.onHang(worker, watched, now)
    }
    this.options.onPolled()
  }

  private onHang(worker: PoolWorker, watched: Watched, now: number): void {
    if (worker.retiring === 'hang') return
    this.options.events.emit('workerHung', { ...worker.workerSlot, busyMs: Math.round(now - watched.turnedMs) })
    watched.readingStack = this.reportStack(worker)
    // An earlier reason to replace it would wait for its drain.
    worker.retiring = undefined
    this.options.retire(worker, 'hang')
  }

  private async reportStack(worker: PoolWorker): Promise<void> {
    const stack = await this.stackReaderOf(worker)
      ?.read(STACK_TIMEOUT_MS)
      .catch(() => undefined)
    this.options.events.emit('workerStack', { ...worker.workerSlot, stack })
  }

  private stackReaderOf(worker: PoolWorker): HangStackReader | undefined {
    const watched = this.watchedOf(worker)
    const pid = worker.process?.pid ?? 0
    if (pid !== 0) watched.stackReader ??= new HangStackReader(pid, worker.settings.sourceMaps)
    return watched.stackReader
  }

  private watchedOf(worker: PoolWorker): Watched {
    const known = this.watched.get(worker)
    if (known !== undefined) return known
    const now = performance.now()
    const watched: Watched = {
      ...{ turns: 0, polledMs: now, turnedMs: now, turnedAfterMs: now },
      ...{ prober: undefined, stackReader: undefined, readingStack: undefined },
    }
    this.watched.set(worker, watched)
    return watched
  }
}

function recordTurns({ load: { turns } }: PoolWorker, watched: Watched, now: number): void {
  if (turns !== watched.turns) {
    watched.turns = turns
    watched.turnedMs = now
    watched.turnedAfterMs = watched.polledMs
  }
  watched.polledMs = now
}

/** Has the worker requests that would wait for ever? */
function isServing({ state, stoppingMs }: PoolWorker): boolean {
  return state === 'ready' || (state === 'draining' && stoppingMs === undefined)
}
