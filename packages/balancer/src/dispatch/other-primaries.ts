// The old and the new primary, as the dispatcher sees them while an upgrade is under way.

import type { Arrival, Connection } from '@switchyard/handoff'
import type { Policy } from '@switchyard/routing'
import type { Pool } from './pool.ts'

export interface OtherPrimaries {
  /** Can a connection belong to a worker of the old primary? */
  readonly isSharing: boolean
  /** Passes the connection of a visitor that a worker of the old primary knows. False: the connection is still the caller's. */
  passBack(arrival: Arrival, pool: Pool, policy: Policy): boolean
  /** Do connections that no worker here can have go to the new primary? */
  readonly isPassing: boolean
  passOn(connection: Connection): void
  /** The same for an idle connection. */
  passResting(connection: Connection): void
}

/** Outside an upgrade. */
export const noOthers: OtherPrimaries = {
  isSharing: false,
  isPassing: false,
  passBack: () => false,
  passOn() {},
  passResting() {},
}
