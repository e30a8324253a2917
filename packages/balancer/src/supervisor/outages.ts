// Outages of pools: all slots are broken and no worker serves. Records when an outage begins and ends, and ends the balancer if `onOutage` is 'exit'.

import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { DesiredPool } from './desired-pool.ts'
import type { ExitReasons } from './exit-reasons.ts'
import { outageRetryMs } from './plan.ts'
import type { SlotHistory } from './slot-history.ts'
import type { SupervisedPool } from './supervised-pool.ts'

export interface OutagesOptions {
  readonly events: BalancerEmitter
  readonly history: SlotHistory
  readonly exitReasons: ExitReasons
  readonly maxRestartDelayMs: () => number
  /** Why servers of a pool's app could not listen, if that may be why none of its workers came up. */
  readonly listenError: (pool: string) => BalancerError | undefined
  /** The balancer can't go on. */
  readonly onFailed: (error: BalancerError) => void
}

export class Outages {
  private readonly options: OutagesOptions

  constructor(options: OutagesOptions) {
    this.options = options
  }

  begin(desired: DesiredPool, now: number): void {
    const { events, exitReasons, maxRestartDelayMs } = this.options
    const { name } = desired
    desired.outageSinceMs = now
    events.emit('outageBegan', { pool: name, retryMs: outageRetryMs(maxRestartDelayMs()), lastWords: exitReasons.ofPool(name) })
    if (desired.version.settings.onOutage === 'exit')
      this.giveUp(desired, `every worker of pool '${name}' has failed too often, and its 'onOutage' is 'exit'`)
  }

  /** A worker has come up. If no other worker of its pool serves, the cause of their failures may be over: all slots are tried again. */
  end(desired: DesiredPool, pool: SupervisedPool, now: number): void {
    if (pool.readyCount > 0) return
    for (const slot of desired.broken) this.options.history.clearFailures({ pool: desired.name, slot })
    desired.broken.clear()
    if (desired.outageSinceMs === undefined) return
    this.options.events.emit('outageEnded', { pool: desired.name, afterMs: now - desired.outageSinceMs })
    desired.outageSinceMs = undefined
  }

  giveUp({ name, version }: DesiredPool, what = `no worker of pool '${name}' came up`): void {
    const { exitReasons, listenError, onFailed } = this.options
    const why = exitReasons.ofPool(name)
    onFailed(listenError(name) ?? new BalancerError('ERR_APP_FAILED', `${what} (${version.settings.app}): ${why}`, { source: 'app' }))
  }
}
