// What a reload can't change: the sockets that the primary has opened, and the bounds of its door.

import { isDeepStrictEqual } from 'node:util'
import type { BalancerError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { configError, type Fault } from './faults.ts'
import { formatAddress } from './listen.ts'

const DOOR_LIMITS = [
  'maxHeadBytes',
  'headTimeoutMs',
  'maxUnrouted',
  'maxUnroutedPerAddress',
  'descriptorShare',
  'lingerTimeoutMs',
  'maxResting',
] as const

/** One ERR_CONFIG for all that differs and may not, or undefined. */
export function reloadFaults(now: Settings, next: Settings): BalancerError | undefined {
  const faults = [
    fault('listen', now.listen, next.listen, (listen) => listen?.map(formatAddress).join(', ') ?? 'where the app asks to'),
    fault('admin', now.admin, next.admin, (admin) => (admin === undefined ? 'off' : formatAddress(admin))),
    fault('control', now.control, next.control, (control) => (control === false ? 'off' : (control ?? 'the default one'))),
    ...DOOR_LIMITS.map((name) => fault(name, now.limits[name], next.limits[name], String)),
  ].flat()
  return faults.length === 0 ? undefined : configError(faults, next.file)
}

function fault<T>(path: string, now: T, next: T, show: (value: T) => string): Fault[] {
  if (isDeepStrictEqual(now, next)) return []
  const [from, to] = [show(now), show(next)]
  const change = from === to ? 'it has changed' : `it is ${from}, and would be ${to}`
  return [{ path, message: `can't change in a reload (${change}); 'balancer upgrade' or a restart does that` }]
}
