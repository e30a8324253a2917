// The operations of a running `balancer start`, for the control socket, SIGHUP and --watch. Reloads read the config again and run one at a time.
// Stops go through `Shutdown`, as signals do. Everything else goes to the balancer.

import { reloadFaults } from '../../config/reload-faults.ts'
import { BalancerError } from '../../errors.ts'
import type { OperationResult, Operations, ScaleChange } from '../../operations.ts'
import { withTicketKeys } from '../../sessions/session-secrets.ts'
import type { Settings } from '../../settings.ts'
import type { BalancerStatus } from '../../status.ts'
import { messageOf } from '../../thrown-error.ts'
import type { SlotName } from '../../worker-name.ts'
import type { ReadSettings } from '../command-settings.ts'
import type { Log } from '../log.ts'
import type { Shutdown } from './shutdown.ts'

export interface RunningOperationsOptions {
  readonly balancer: Operations
  readonly shutdown: Shutdown
  /** Reads the config and the environment file again. Throws ERR_CONFIG or ERR_APP_NOT_FOUND. */
  readonly readSettings: () => Promise<ReadSettings>
  /** The settings that the balancer started with. */
  readonly startSettings: ReadSettings
  readonly log: Log
}

export class RunningOperations implements Operations {
  private readonly options: RunningOperationsOptions
  private isStarted = false
  private isReloading = false
  /** Why the next reload was requested. Requests during a reload become one reload. */
  private pendingReason: string | undefined

  constructor(options: RunningOperationsOptions) {
    this.options = options
  }

  /** Without settings it reads them from the config. Rejects with ERR_BUSY while the balancer starts, stops or reloads. */
  reload(settings: Settings | undefined, pool?: string): Promise<OperationResult> {
    return this.alone(async () => this.options.balancer.reload(settings ?? (await this.readSettings()), pool))
  }

  rollback(): Promise<OperationResult> {
    return this.alone(() => this.options.balancer.rollback())
  }

  scale(pool: string, change: ScaleChange): Promise<OperationResult> {
    return this.options.balancer.scale(pool, change)
  }

  drainSlot(name: SlotName): Promise<OperationResult> {
    return this.options.balancer.drainSlot(name)
  }

  restartSlot(name: SlotName): Promise<OperationResult> {
    return this.options.balancer.restartSlot(name)
  }

  upgrade(): Promise<OperationResult> {
    return this.options.balancer.upgrade()
  }

  status(): BalancerStatus {
    return this.options.balancer.status()
  }

  async stop(reason: string): Promise<void> {
    this.options.shutdown.stop(reason)
    await this.options.shutdown.stopped
  }

  stopNow(reason: string): void {
    this.options.shutdown.stopNow(reason)
  }

  /** Reloads now, or as soon as the balancer can. The log has the result. */
  requestReload(reason: string): void {
    if (this.busyReason() !== undefined) {
      this.pendingReason = reason
      return
    }
    const { logger } = this.options.log
    logger.info(`${reason}: reloading`)
    this.reload(undefined).catch((error: unknown) => {
      // The event `operationEnded` has logged it already.
      if (error instanceof BalancerError && error.code === 'ERR_RELOAD_FAILED') return
      logger.error({ err: error }, `not reloaded: ${messageOf(error)}`)
    })
  }

  /** The balancer has started: reloads are possible, and one that was requested before begins. */
  allowReloads(): void {
    this.isStarted = true
    this.reloadIfPending()
  }

  private reloadIfPending(): void {
    const reason = this.pendingReason
    this.pendingReason = undefined
    if (reason !== undefined) this.requestReload(reason)
  }

  private busyReason(): string | undefined {
    if (this.isReloading) return 'another reload is under way'
    if (this.options.shutdown.isStopping) return 'it is stopping'
    return this.isStarted ? undefined : 'it is still starting'
  }

  private async alone(act: () => Promise<OperationResult>): Promise<OperationResult> {
    const busy = this.busyReason()
    if (busy !== undefined)
      throw new BalancerError('ERR_BUSY', `The balancer can't reload now: ${busy}`, { source: 'system', retryable: true })
    this.isReloading = true
    try {
      return await act()
    } finally {
      this.isReloading = false
      // The caller gets its result before the next reload begins.
      setImmediate(() => this.reloadIfPending())
    }
  }

  /** Throws ERR_CONFIG if the config changes something that a reload can't change. */
  private async readSettings(): Promise<Settings> {
    const { readSettings, startSettings } = this.options
    const { settings, knowsSecret } = await readSettings()
    const fault = reloadFaults(startSettings.settings, settings)
    if (fault !== undefined) throw fault
    // A generated secret is generated once: tickets from before the reload stay valid.
    return knowsSecret || startSettings.knowsSecret ? settings : withTicketKeys(settings, startSettings.settings.ticketKeys)
  }
}
