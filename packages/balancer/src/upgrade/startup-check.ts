// The first workers of a successor on trial: every one must come up and stay up for a while, for behind them there are good ones to lose.

import { BalancerError } from '../errors.ts'
import type { BalancerEmitter, BalancerEvents } from '../events.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'

const LAST_LINES = 50
const POLL_MS = 100

export interface StartupCheckOptions {
  readonly events: BalancerEmitter
  readonly workers: () => Iterable<PoolWorker>
  /** Has every seat its worker? */
  readonly isComplete: () => boolean
  /** How long the loop of a worker has not turned. */
  readonly silentMs: (worker: PoolWorker) => number
  /** For how long the last that came up has to stay. */
  readonly settleMs: number
  /** For how long a loop may not turn after that. */
  readonly patienceMs: number
}

export class StartupCheck {
  private readonly options: StartupCheckOptions
  private readonly lines: string[] = []
  private readonly verdict: Promise<void>
  private settle: { resolve: () => void; reject: (error: Error) => void } = { resolve() {}, reject() {} }
  private timer: NodeJS.Timeout | undefined

  /** It begins at once. */
  constructor(options: StartupCheckOptions) {
    this.options = options
    this.verdict = new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
    this.verdict.catch(() => {})
    const { events } = options
    events.on('workerExited', this.onExited)
    events.on('workerOutput', this.onOutput)
  }

  /** A worker has come up. */
  look(): void {
    const { isComplete, settleMs } = this.options
    if (isComplete()) this.timer ??= setTimeout(() => this.judge(performance.now()), settleMs)
  }

  /** Resolves when it is passed. Rejects with BalancerError ERR_APP_FAILED as soon as it can't be. */
  async passed(): Promise<void> {
    await this.verdict
  }

  private readonly onExited = ({ pool, slot, code, signal }: BalancerEvents['workerExited'][0]): void => {
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
    // Of an error with its stack the first line says it.
    const said = this.lines.find((line) => /^\w*Error\b/.test(line)) ?? this.lines.at(-1)
    this.fail(`worker ${pool}/${slot} ${how}${said === undefined ? '' : `: ${said}`}`)
  }

  private readonly onOutput = ({ stream, line }: BalancerEvents['workerOutput'][0]): void => {
    if (stream !== 'stderr' || line.trim() === '') return
    this.lines.push(line.trim().slice(0, 200))
    if (this.lines.length > LAST_LINES) this.lines.shift()
  }

  /** Every loop must turn once more, for one that has listened may hang ever since. `sinceMs`: by the clock of `performance`. */
  private judge(sinceMs: number): void {
    const { workers, silentMs, patienceMs } = this.options
    const goneMs = performance.now() - sinceMs
    const silent = [...workers()].find((worker) => silentMs(worker) >= goneMs)
    if (silent === undefined) {
      this.end()
      this.settle.resolve()
    } else if (goneMs >= patienceMs) this.fail(`worker ${silent.pool}/${silent.slot} listens, and then its loop hangs`)
    else this.timer = setTimeout(() => this.judge(sinceMs), POLL_MS)
  }

  private fail(message: string): void {
    this.end()
    this.settle.reject(new BalancerError('ERR_APP_FAILED', message, { source: 'app' }))
  }

  /** Nobody asks any more. */
  end(): void {
    clearTimeout(this.timer)
    const { events } = this.options
    events.off('workerExited', this.onExited)
    events.off('workerOutput', this.onOutput)
  }
}
