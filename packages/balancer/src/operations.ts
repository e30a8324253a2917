// What an operator may ask of a running balancer. The control socket, signals and --watch use this interface; the balancer implements it.

import type { Settings } from './settings.ts'
import type { BalancerStatus } from './status.ts'
import type { SlotName } from './worker-name.ts'

/** `message`: one sentence for people. */
export interface OperationResult {
  readonly message: string
}

/** A number of workers, or a difference to the present number. */
export type ScaleChange = { readonly to: number } | { readonly by: number }

/** Each operation resolves when it is done and reports its progress as events. Rejections are BalancerErrors. */
export interface Operations {
  status(): BalancerStatus
  /**
   * Replaces the workers of one pool, or of all pools. The listening sockets stay open. `settings` undefined: the CLI reads the config again, and
   * the balancer itself uses its present settings.
   * ERR_RELOAD_FAILED: a new worker did not start, and the old workers keep serving. ERR_BUSY: another reload or upgrade is under way.
   * ERR_UNKNOWN_SEAT: the pool does not exist.
   */
  reload(settings: Settings | undefined, pool?: string): Promise<OperationResult>
  /** Reloads with the settings from before the last successful reload. ERR_NOTHING_TO_ROLL_BACK, or an error of `reload`. */
  rollback(): Promise<OperationResult>
  /** Changes the number of workers of a pool. Resolves when the new workers are ready and the surplus workers have exited. ERR_UNKNOWN_SEAT. */
  scale(pool: string, change: ScaleChange): Promise<OperationResult>
  /** Drains the worker of a slot, which stays empty until `restartSlot`, or takes an upstream server out of service until then. ERR_UNKNOWN_SEAT. */
  drainSlot(name: SlotName): Promise<OperationResult>
  /**
   * Replaces the worker of a slot; the new worker starts first. Also fills a slot that is held or broken, and starts a process of a schedule before
   * its time. Puts an upstream server back in service, and forgets its failures. ERR_UNKNOWN_SEAT. ERR_BUSY: the process of the schedule runs already.
   */
  restartSlot(name: SlotName): Promise<OperationResult>
  /** Starts a new primary and hands over to it. ERR_UPGRADE_FAILED: it did not start, and nothing has changed. ERR_BUSY. */
  upgrade(): Promise<OperationResult>
  /** Stops accepting, drains the workers, and resolves when all of them have exited. */
  stop(reason: string): Promise<void>
  /** Ends the drain: kills the workers that are left. */
  stopNow(reason?: string): void
}
