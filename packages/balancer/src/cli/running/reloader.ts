// Reloads with what the config says now. One at a time: who asks for an answer is refused meanwhile, who only says that something has changed (a signal, a file) is
// remembered.

import { reloadFaults } from '../../config/reload-faults.ts'
import { BalancerError } from '../../errors.ts'
import type { OperationResult } from '../../operations.ts'
import { withTicketKeys } from '../../sessions/session-secrets.ts'
import type { Settings } from '../../settings.ts'
import type { ReadSettings } from '../command-settings.ts'
import type { RunningBalancer } from '../io.ts'
import type { Log } from '../log.ts'

export interface ReloaderOptions {
  balancer: Pick<RunningBalancer, 'reload' | 'rollback'>
  /** Reads config and environment afresh. Throws ERR_CONFIG or ERR_APP_NOT_FOUND. */
  read(): Promise<ReadSettings>
  /** Those that the balancer started with. */
  started: ReadSettings
  log: Log
  /** Is it too late, or too early? */
  isBusy(): string | undefined
}

export class Reloader {
  readonly #options: ReloaderOptions
  #running = false
  #remembered: string | undefined

  constructor(options: ReloaderOptions) {
    this.#options = options
  }

  /** Rejects with ERR_BUSY while another runs, and as `Operations.reload`. */
  reload(pool?: string): Promise<OperationResult> {
    return this.#alone(async () => this.#options.balancer.reload(await this.#read(), pool))
  }

  rollback(): Promise<OperationResult> {
    return this.#alone(() => this.#options.balancer.rollback())
  }

  /** Reloads as soon as it can; what comes of it stands in the log. */
  request(reason: string): void {
    if (this.#running || this.#options.isBusy() !== undefined) {
      this.#remembered = reason
      return
    }
    const { logger } = this.#options.log
    logger.info(`${reason}: reloading`)
    this.reload().catch((error: unknown) => {
      // The balancer itself has told of this one.
      if (error instanceof BalancerError && error.code === 'ERR_RELOAD_FAILED') return
      logger.error({ err: error }, `not reloaded: ${error instanceof Error ? error.message : String(error)}`)
    })
  }

  /** The balancer has come to where it can reload: does what was remembered. */
  resume(): void {
    const reason = this.#remembered
    this.#remembered = undefined
    if (reason !== undefined) this.request(reason)
  }

  async #alone(act: () => Promise<OperationResult>): Promise<OperationResult> {
    const busy = this.#running ? 'another reload is under way' : this.#options.isBusy()
    if (busy !== undefined)
      throw new BalancerError('ERR_BUSY', `The balancer can't reload now: ${busy}`, { source: 'system', retryable: true })
    this.#running = true
    try {
      return await act()
    } finally {
      this.#running = false
      // After whoever waits for this one has heard of it.
      setImmediate(() => this.resume())
    }
  }

  /** Throws ERR_CONFIG when something has changed that can't change now. */
  async #read(): Promise<Settings> {
    const { read, started } = this.#options
    const { settings, knowsSecret } = await read()
    const fault = reloadFaults(started.settings, settings)
    if (fault !== undefined) throw fault
    // A secret that this start has made itself is made once: tickets of before must be read on.
    return knowsSecret || started.knowsSecret ? settings : withTicketKeys(settings, started.settings.ticketKeys)
  }
}
