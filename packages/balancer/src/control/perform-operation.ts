// Carries an operation out that was asked for by name: over the control socket or on the dashboard.

import type { OperationResult, Operations } from '../operations.ts'
import type { OperationBodies, OperationName } from './control-protocol.ts'

/** `pool` left out: every pool for a reload. Rejects as the operation does. */
export async function performOperation(
  operations: Operations,
  name: OperationName,
  body: OperationBodies[OperationName],
  pool = '',
): Promise<OperationResult> {
  switch (name) {
    case 'reload':
      return operations.reload(undefined, pool === '' ? undefined : pool)
    case 'rollback':
      return operations.rollback()
    case 'scale': {
      const { pool: _, ...change } = body as OperationBodies['scale']
      return operations.scale(pool, change)
    }
    case 'drain':
      return operations.drainSlot({ ...(body as OperationBodies['drain']), pool })
    case 'restart':
      return operations.restartSlot({ ...(body as OperationBodies['restart']), pool })
    case 'upgrade':
      return operations.upgrade()
    case 'stop':
      if ((body as OperationBodies['stop']).now === true) operations.stopNow("'balancer stop --now'")
      await operations.stop("'balancer stop'")
      return { message: 'the balancer has stopped' }
  }
}
