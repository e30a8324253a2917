// What an operator may ask of a running balancer: the seam between it and whoever speaks for people (control socket, signals, --watch).

import type { Settings } from './settings.ts'
import type { BalancerStatus } from './status.ts'

/** `message`: one sentence for people. */
export interface OperationResult {
  readonly message: string
}

/** A number of workers, or how many more (or fewer) than now. */
export type ScaleChange = { readonly to: number } | { readonly by: number }

/** Each resolves when it is done; progress comes as events. Rejections are BalancerErrors. */
export interface Operations {
  /** Everything that can be told of this moment. */
  status(): BalancerStatus
  /**
   * Replaces the workers of one pool, or of all, by ones of `settings`; what the primary itself has, such as its sockets, stays. ERR_RELOAD_FAILED: the new ones did not come up, the old ones serve on.
   * ERR_BUSY: another reload or upgrade is under way. ERR_UNKNOWN_SEAT: there is no such pool.
   */
  reload(settings: Settings, pool?: string): Promise<OperationResult>
  /** A reload with the settings before the last one that succeeded. ERR_NOTHING_TO_ROLL_BACK, and as `reload`. */
  rollback(): Promise<OperationResult>
  /** Changes the number of workers of a pool. Resolves when that many are ready and the superfluous have left. ERR_UNKNOWN_SEAT. */
  scale(pool: string, change: ScaleChange): Promise<OperationResult>
  /** Takes a worker out of service: it drains, and its seat stays empty until `restartSlot`. ERR_UNKNOWN_SEAT. */
  drainSlot(pool: string, slot: number): Promise<OperationResult>
  /** Replaces one worker, the new one first; a seat that is held or broken is filled again. ERR_UNKNOWN_SEAT. */
  restartSlot(pool: string, slot: number): Promise<OperationResult>
  /** Starts a successor of this primary and leaves when that serves. ERR_UPGRADE_FAILED: it did not, and everything is as before. ERR_BUSY. */
  upgrade(): Promise<OperationResult>
  /** Stops accepting, drains the workers, and resolves when all of them are gone. */
  stop(reason: string): Promise<void>
  /** Ends the drain: kills what is left. */
  stopNow(): void
}
