// When and how a running balancer ends: the first signal drains it, the second ends it at once, a failure ends it with the error's exit code.

import { BalancerError, errorCodes } from '../errors.ts'
import type { RunningBalancer, Signals, StopSignal } from './io.ts'
import type { Log } from './log.ts'

const signalNumbers: Record<StopSignal, number> = { SIGINT: 2, SIGTERM: 15 }
const remindEveryMs = 5_000

/** Watches signals from its making to `release()`. */
export class StopWatch {
  /** Resolves with the exit code when the balancer has stopped. */
  readonly stopped: Promise<number>
  readonly #balancer: RunningBalancer
  readonly #signals: Signals
  readonly #log: Log
  readonly #resolve: (exitCode: number) => void
  readonly #onSignal = (signal: StopSignal): void => this.#take(signal)
  readonly #onFailed = ({ error }: { error: Error }): void => this.#fail(error)
  readonly #onDraining = ({ reason }: { reason: string }): void => {
    if (!this.#stopping) this.#stop(reason)
  }
  #started = false
  #stopping = false
  /** Has somebody asked for it from outside? A balancer may also stop of its own accord, when its successor serves. */
  #isAsked = false
  #exitCode = 0
  #reminder: NodeJS.Timeout | undefined

  constructor(balancer: RunningBalancer, signals: Signals, log: Log) {
    this.#balancer = balancer
    this.#signals = signals
    this.#log = log
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

  release(): void {
    clearInterval(this.#reminder)
    this.#signals.off('SIGINT', this.#onSignal)
    this.#signals.off('SIGTERM', this.#onSignal)
    this.#balancer.events.off('failed', this.#onFailed)
    this.#balancer.events.off('draining', this.#onDraining)
  }

  #take(signal: StopSignal): void {
    if (!this.#isAsked) {
      this.#isAsked = true
      if (!this.#stopping) this.#stop(signal)
      else this.#log.logger.info(`${signal}: is stopping already; once more to stop now`)
      return
    }
    this.#exitCode = 128 + signalNumbers[signal]
    this.#log.logger.warn(`${signal} again: stopping now`)
    this.#balancer.stopNow()
  }

  /** While it starts, the rejected start tells of the failure. */
  #fail(error: Error): void {
    if (!this.#started || this.#stopping) return
    this.#log.logger.error({ err: error }, error.message)
    this.#exitCode = error instanceof BalancerError ? errorCodes[error.code].exitCode : 1
    this.#isAsked = true
    this.#stop('failure')
  }

  #stop(reason: string): void {
    this.#stopping = true
    this.#log.logger.info(`${reason}: stopping; ${this.#waitingFor()}; once more to stop now`)
    this.#reminder = setInterval(() => this.#log.logger.info(`still stopping; ${this.#waitingFor()}`), remindEveryMs)
    this.#balancer.stop(reason).then(
      () => this.#resolve(this.#exitCode),
      (error: unknown) => {
        this.#log.logger.error(`stopping failed: ${error instanceof Error ? error.message : String(error)}`)
        this.#resolve(this.#exitCode === 0 ? 1 : this.#exitCode)
      },
    )
  }

  #waitingFor(): string {
    const { pools, connections } = this.#balancer.status()
    const workers = pools.flatMap((pool) => pool.workers).filter(({ state }) => state !== 'gone')
    const inFlight = workers.reduce((sum, { load }) => sum + load.inFlight, 0)
    const waiting = connections.waiting.head + connections.waiting.queue + connections.waiting.offered
    return `waiting for ${counted(inFlight + waiting, 'request')} on ${counted(workers.length, 'worker')}`
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
