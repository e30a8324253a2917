// What a name such as `web/0` means in commands that are about a process: an upstream server is none.

import type { PoolReport } from '../control/control-protocol.ts'
import { BalancerError } from '../errors.ts'
import { type SlotName, slotName } from '../worker-name.ts'

/** Throws ERR_UNKNOWN_SEAT if the name means an upstream server, or a proxy worker of a pool without one. */
export function assertWorkerName({ name: pool, servers }: PoolReport, { slot, proxy = false }: Omit<SlotName, 'pool'>): void {
  const isUpstream = servers != null
  if (isUpstream === proxy) return
  const found = slotName({ pool, slot, proxy })
  const meant = slotName({ pool, slot, proxy: isUpstream })
  const why = isUpstream
    ? 'is an upstream server, and no process of the balancer'
    : 'does not exist, because the pool has no upstream servers'
  throw new BalancerError('ERR_UNKNOWN_SEAT', `${found} ${why}; its worker is '${meant}'`, { source: 'system' })
}
