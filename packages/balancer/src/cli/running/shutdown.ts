// How `balancer start` stops: the first signal drains, the second kills, and a failure drains and sets the exit code. `balancer stop` counts as a signal.

import { BalancerError, errorCodes } from '../../errors.ts'
import { messageOf } from '../../thrown-error.ts'
import { counted } from '../format.ts'
import type { RunningBalancer, Signal, Signals, StopSignal } from '../io.ts'
import type { Log } from '../log.ts'

const SIGNAL_NUMBERS: Record<StopSignal, number> = { SIGINT: 2, SIGTERM: 15 }
const REMIND_EVERY_MS = 5_000

/** Listens for signals until `release()`. */
export class Shutdown {
  /** Resolves with the exit code when the balancer has stopped. */
  readonly stopped: Promise<number>
  private readonly balancer: RunningBalancer
  private readonly signals: Signals
  private readonly log: Log
  private readonly shutdownDelayMs: number
  private readonly resolve: (exitCode: number) => void
  private readonly onSignal = (signal: Signal): void => this.stopOnSignal(signal as StopSignal)
  private readonly onFailed = ({ error }: { error: Error }): void => this.fail(error)
  private readonly onDraining = ({ reason }: { reason: string }): void => {
    if (this.isStopRequested) return
    this.isHandingOver = true
    this.begin(reason, 0, '')
  }
  private isStarted = false
  private isStopRequested = false
  /** The balancer stops because the new primary serves. No signal has been received yet. */
  private isHandingOver = false
  private exitCode = 0
  private reminder: NodeJS.Timeout | undefined
  /** Set during the shutdown delay: ends it. */
  private endDelay: (() => void) | undefined

  /** `shutdownDelayMs`: how long a started balancer keeps accepting after SIGTERM, until load balancers in front of it see that it is not ready. */
  constructor(balancer: RunningBalancer, signals: Signals, log: Log, shutdownDelayMs = 0) {
    this.balancer = balancer
    this.signals = signals
    this.log = log
    this.shutdownDelayMs = shutdownDelayMs
    let resolve: (exitCode: number) => void = () => {}
    this.stopped = new Promise((done) => {
      resolve = done
    })
    this.resolve = resolve
    signals.on('SIGINT', this.onSignal)
    signals.on('SIGTERM', this.onSignal)
    balancer.events.on('failed', this.onFailed)
    balancer.events.on('draining', this.onDraining)
  }

  get isStopping(): boolean {
    return this.isStopRequested
  }

  /** Waits for the start, or for a stop that comes first. Rejects if the start fails, unless the balancer is stopping. */
  async untilStarted(starting: Promise<void>): Promise<void> {
    const started = starting.catch((error: unknown) => {
      if (this.isStopRequested) return
      this.balancer.stopNow()
      throw error
    })
    await Promise.race([started, this.stopped])
    this.isStarted = true
  }

  /** Drains and stops, as on SIGTERM. Does nothing if the balancer is stopping. */
  stop(reason: string): void {
    if (!this.isStopRequested) this.begin(reason, this.shutdownDelayMs, '')
  }

  /** Stops at once and kills the workers. */
  stopNow(reason: string): void {
    if (!this.isStopRequested) this.begin(reason, 0, '')
    this.log.logger.warn(`${reason}: stopping now`)
    this.endDelay?.()
    this.balancer.stopNow()
  }

  release(): void {
    clearInterval(this.reminder)
    this.signals.off('SIGINT', this.onSignal)
    this.signals.off('SIGTERM', this.onSignal)
    this.balancer.events.off('failed', this.onFailed)
    this.balancer.events.off('draining', this.onDraining)
  }

  private stopOnSignal(signal: StopSignal): void {
    if (!this.isStopRequested) return this.begin(signal, signal === 'SIGTERM' ? this.shutdownDelayMs : 0, '; once more to stop now')
    if (this.isHandingOver) {
      this.isHandingOver = false
      this.log.logger.info(`${signal}: stopping already; once more to stop now`)
      return
    }
    this.exitCode = 128 + SIGNAL_NUMBERS[signal]
    this.stopNow(`${signal} again`)
  }

  /** During the start, the rejected promise of the start reports the failure. */
  private fail(error: Error): void {
    if (!this.isStarted || this.isStopRequested) return
    this.log.logger.error({ err: error }, error.message)
    this.exitCode = error instanceof BalancerError ? errorCodes[error.code].exitCode : 1
    this.begin('failure', 0, '')
  }

  private begin(reason: string, delayMs: number, hint: string): void {
    this.isStopRequested = true
    if (delayMs === 0 || !this.isStarted) return this.drain(reason, hint)
    this.log.logger.info(`${reason}: not ready any more; accepts connections for another ${delayMs / 1000} s${hint}`)
    const timer = setTimeout(() => this.endDelay?.(), delayMs)
    this.endDelay = () => {
      clearTimeout(timer)
      this.endDelay = undefined
      this.drain(reason, hint)
    }
  }

  private drain(reason: string, hint: string): void {
    this.log.logger.info(`${reason}: stopping; ${this.remaining()}${hint}`)
    this.reminder = setInterval(() => this.log.logger.info(`still stopping; ${this.remaining()}`), REMIND_EVERY_MS)
    this.balancer.stop(reason).then(
      () => this.resolve(this.exitCode),
      (error: unknown) => {
        this.log.logger.error(`stopping failed: ${messageOf(error)}`)
        this.resolve(this.exitCode === 0 ? 1 : this.exitCode)
      },
    )
  }

  /** Which requests and workers the stop still waits for. */
  private remaining(): string {
    const { pools, connections } = this.balancer.status()
    const workers = pools.flatMap((pool) => pool.workers).filter(({ state }) => state !== 'gone')
    const inFlight = workers.reduce((sum, { load }) => sum + load.inFlight, 0)
    const requests = inFlight + connections.waiting.head + connections.waiting.queue + connections.waiting.offered
    const exits = `${counted(workers.length, 'worker')} to exit`
    return requests === 0 ? `no requests under way, ${exits}` : `${counted(requests, 'request')} to finish, ${exits}`
  }
}
