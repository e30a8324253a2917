// Checks the first workers of a new primary before it takes over: each must become ready, stay up for a while, and still turn its loop. Until
// then the old workers serve.

import { BalancerError } from '../errors.ts'
import type { BalancerEmitter, BalancerEvents } from '../events.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import { slotName } from '../worker-name.ts'

/** Lines of stderr that are kept to explain an exit. */
const LAST_LINES = 50
const POLL_MS = 100

export interface StartupCheckOptions {
  readonly events: BalancerEmitter
  readonly workers: () => Iterable<PoolWorker>
  /** Does every slot have a ready worker? */
  readonly isComplete: () => boolean
  /** Time since the last turn of a worker's loop. */
  readonly silentMs: (worker: PoolWorker) => number
  /** All workers must stay up this long. */
  readonly settleMs: number
  /** After that each loop must turn once within this time. */
  readonly hangTimeoutMs: number
}

export class StartupCheck {
  private readonly options: StartupCheckOptions
  private readonly lines: string[] = []
  private readonly result: Promise<void>
  private settle: { resolve: () => void; reject: (error: Error) => void } = { resolve() {}, reject() {} }
  private timer: NodeJS.Timeout | undefined

  constructor(options: StartupCheckOptions) {
    this.options = options
    this.result = new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
    this.result.catch(() => {})
    const { events } = options
    events.on('workerExited', this.onExited)
    events.on('workerOutput', this.onOutput)
  }

  /** The settle time begins when the last worker is ready. */
  onWorkerReady(): void {
    const { isComplete, settleMs } = this.options
    if (isComplete()) this.timer ??= setTimeout(() => this.checkLoops(performance.now()), settleMs)
  }

  /** Resolves when the check has passed. Rejects with BalancerError ERR_APP_FAILED as soon as a worker fails. */
  async passed(): Promise<void> {
    await this.result
  }

  private readonly onExited = ({ code, signal, isFinal, ...worker }: BalancerEvents['workerExited'][0]): void => {
    if (isFinal) return
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
    // The first line of a stack trace names the error.
    const reason = this.lines.find((line) => /^\w*Error\b/.test(line)) ?? this.lines.at(-1)
    this.fail(`worker ${slotName(worker)} ${how}${reason === undefined ? '' : `: ${reason}`}`)
  }

  private readonly onOutput = ({ stream, line }: BalancerEvents['workerOutput'][0]): void => {
    if (stream !== 'stderr' || line.trim() === '') return
    this.lines.push(line.trim().slice(0, 200))
    if (this.lines.length > LAST_LINES) this.lines.shift()
  }

  /** Every loop must turn once more after `sinceMs`, since a worker may hang right after it has listened. */
  private checkLoops(sinceMs: number): void {
    const { workers, silentMs, hangTimeoutMs } = this.options
    const waitedMs = performance.now() - sinceMs
    const silent = [...workers()].find((worker) => silentMs(worker) >= waitedMs)
    if (silent === undefined) {
      this.end()
      this.settle.resolve()
    } else if (waitedMs >= hangTimeoutMs) this.fail(`worker ${slotName(silent.workerSlot)} listens, then its loop hangs`)
    else this.timer = setTimeout(() => this.checkLoops(sinceMs), POLL_MS)
  }

  private fail(message: string): void {
    this.end()
    this.settle.reject(new BalancerError('ERR_APP_FAILED', message, { source: 'app' }))
  }

  end(): void {
    clearTimeout(this.timer)
    const { events } = this.options
    events.off('workerExited', this.onExited)
    events.off('workerOutput', this.onOutput)
  }
}
