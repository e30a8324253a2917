// When and how a running balancer ends: the first signal drains it, the second ends it at once, a failure ends it with the error's exit code. An operator's
// `balancer stop` counts as a signal.

import { BalancerError, errorCodes } from '../../errors.ts'
import type { RunningBalancer, Signal, Signals, StopSignal } from '../io.ts'
import type { Log } from '../log.ts'
import { counted } from './event-lines.ts'

const signalNumbers: Record<StopSignal, number> = { SIGINT: 2, SIGTERM: 15 }
const remindEveryMs = 5_000

/** Watches signals from its making to `release()`. */
export class Shutdown {
  /** Resolves with the exit code when the balancer has stopped. */
  readonly stopped: Promise<number>
  readonly #balancer: RunningBalancer
  readonly #signals: Signals
  readonly #log: Log
  readonly #shutdownDelayMs: number
  readonly #resolve: (exitCode: number) => void
  readonly #onSignal = (signal: Signal): void => this.#take(signal as StopSignal)
  readonly #onFailed = ({ error }: { error: Error }): void => this.#fail(error)
  readonly #onDraining = ({ reason }: { reason: string }): void => {
    if (this.#stopping) return
    this.#isOwnWish = true
    this.#stop(reason, 0, '')
  }
  #started = false
  #stopping = false
  /** The balancer stops of its own accord, for its successor serves: nobody outside has asked for it yet. */
  #isOwnWish = false
  #exitCode = 0
  #reminder: NodeJS.Timeout | undefined
  /** Begins to drain, when that waits for the shutdown delay. */
  #endDelay: (() => void) | undefined

  /** `shutdownDelayMs`: how long a balancer that has started accepts on after SIGTERM, until whoever sends it clients has noticed. */
  constructor(balancer: RunningBalancer, signals: Signals, log: Log, shutdownDelayMs = 0) {
    this.#balancer = balancer
    this.#signals = signals
    this.#log = log
    this.#shutdownDelayMs = shutdownDelayMs
    let resolve: (exitCode: number) => void = () => {}
    this.stopped = new Promise((done) => {
      resolve = done
    })
    this.#resolve = resolve
    signals.on('SIGINT', this.#onSignal)
    signals.on('SIGTERM', this.#onSignal)
    balancer.events.on('failed', this.#onFailed)
    balancer.events.on('draining', this.#onDraining)
  }

  get stopping(): boolean {
    return this.#stopping
  }

  /** Waits for the start, or for the end if that comes first. Rejects when the start fails, unless it was stopped meanwhile. */
  async orStopped(starting: Promise<void>): Promise<void> {
    const started = starting.catch((error: unknown) => {
      if (this.#stopping) return
      this.#balancer.stopNow()
      throw error
    })
    await Promise.race([started, this.stopped])
    this.#started = true
  }

  /** Drains and stops, as on SIGTERM; if it does so already, nothing more. */
  stop(reason: string): void {
    if (!this.#stopping) this.#stop(reason, this.#shutdownDelayMs, '')
  }

  /** Stops without waiting for anything. */
  stopNow(reason: string): void {
    if (!this.#stopping) this.#stop(reason, 0, '')
    this.#log.logger.warn(`${reason}: stopping now`)
    this.#endDelay?.()
    this.#balancer.stopNow()
  }

  release(): void {
    clearInterval(this.#reminder)
    this.#signals.off('SIGINT', this.#onSignal)
    this.#signals.off('SIGTERM', this.#onSignal)
    this.#balancer.events.off('failed', this.#onFailed)
    this.#balancer.events.off('draining', this.#onDraining)
  }

  #take(signal: StopSignal): void {
    if (!this.#stopping) return this.#stop(signal, signal === 'SIGTERM' ? this.#shutdownDelayMs : 0, '; once more to stop now')
    if (this.#isOwnWish) {
      this.#isOwnWish = false
      this.#log.logger.info(`${signal}: is stopping already; once more to stop now`)
      return
    }
    this.#exitCode = 128 + signalNumbers[signal]
    this.stopNow(`${signal} again`)
  }

  /** While it starts, the rejected start tells of the failure. */
  #fail(error: Error): void {
    if (!this.#started || this.#stopping) return
    this.#log.logger.error({ err: error }, error.message)
    this.#exitCode = error instanceof BalancerError ? errorCodes[error.code].exitCode : 1
    this.#stop('failure', 0, '')
  }

  #stop(reason: string, delayMs: number, hint: string): void {
    this.#stopping = true
    if (delayMs === 0 || !this.#started) return this.#drain(reason, hint)
    this.#log.logger.info(`${reason}: not ready any more, and accepting for another ${delayMs / 1000} s${hint}`)
    const timer = setTimeout(() => this.#endDelay?.(), delayMs)
    this.#endDelay = () => {
      clearTimeout(timer)
      this.#endDelay = undefined
      this.#drain(reason, hint)
    }
  }

  #drain(reason: string, hint: string): void {
    this.#log.logger.info(`${reason}: stopping; ${this.#underWay()}${hint}`)
    this.#reminder = setInterval(() => this.#log.logger.info(`still stopping; ${this.#underWay()}`), remindEveryMs)
    this.#balancer.stop(reason).then(
      () => this.#resolve(this.#exitCode),
      (error: unknown) => {
        this.#log.logger.error(`stopping failed: ${error instanceof Error ? error.message : String(error)}`)
        this.#resolve(this.#exitCode === 0 ? 1 : this.#exitCode)
      },
    )
  }

  #underWay(): string {
    const { pools, connections } = this.#balancer.status()
    const workers = pools.flatMap((pool) => pool.workers).filter(({ state }) => state !== 'gone')
    const inFlight = workers.reduce((sum, { load }) => sum + load.inFlight, 0)
    const waiting = connections.waiting.head + connections.waiting.queue + connections.waiting.offered
    const requests = inFlight + waiting
    const ended = `${counted(workers.length, 'worker')} to end`
    return requests === 0 ? `no request is under way, ${ended}` : `${counted(requests, 'request')} to finish first, ${ended}`
  }
}
