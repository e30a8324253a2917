// The options of the acceptor: the limits of the config, and where it reports.

import type { AcceptorOptions } from '@switchyard/handoff'
import type { BalancerEmitter } from '../events.ts'
import { headBoundsOf } from '../head-bytes.ts'
import type { LimitSettings } from '../settings.ts'
import type { PathRecords } from './path-records.ts'
import { ProxyHeaderFaults } from './proxy-header-faults.ts'

export function acceptorOptions(
  limits: LimitSettings,
  { badHeads }: Pick<PathRecords, 'badHeads'>,
  events: BalancerEmitter,
): AcceptorOptions {
  const proxyHeaders = new ProxyHeaderFaults((fault) => events.emit('proxyHeaderRefused', fault))
  return {
    ...limits,
    ...headBoundsOf(limits),
    onBadHead: badHeads.record,
    onBadProxyHeader: (reason, address) => proxyHeaders.record(reason, address, performance.now()),
    onPause: (reason) => (reason === undefined ? events.emit('acceptResumed') : events.emit('acceptPaused', { reason })),
  }
}
