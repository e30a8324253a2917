// Options that a reload can't change: the sockets that the primary has opened with what it reads there, and the limits of its acceptors.

import { isDeepStrictEqual } from 'node:util'
import type { BalancerError } from '../errors.ts'
import type { ListenAddress } from '../listener-settings.ts'
import type { Settings } from '../settings.ts'
import { configError, type Fault } from './faults.ts'
import { fixedLimits } from './limit-options.ts'
import { formatAddress } from './listen-options.ts'

/** Options of an address that new workers, or the answers of the primary, take over. */
const RELOADED: ReadonlySet<string> = new Set(['tls', 'http2', 'redirectToHttps', 'acmeFolder'])
const INSTEAD = "'balancer upgrade' or a restart does that"
const OPENED = 'the primary reads it when it opens the address'
const SIDE_BY_SIDE = 'old and new workers serve side by side meanwhile, and a connection may reach either'

/** One ERR_CONFIG for all of them that differ; undefined: none does. */
export function reloadFaults(now: Settings, next: Settings): BalancerError | undefined {
  const faults = [
    ...listenFaults(now.listen, next.listen),
    fault('admin', now.admin, next.admin, (admin) => (admin === undefined ? 'off' : formatAddress(admin))),
    fault('control', now.control, next.control, (control) => (control === false ? 'off' : (control ?? 'the default one'))),
    fault('logs', now.logs, next.logs, (logs) => (logs === undefined ? 'off' : `in ${logs.folder}`)),
    fault('accessLog', filesOf(now), filesOf(next), (files) => (files === undefined ? 'off' : `in ${files.folder}`)),
    ...fixedLimits.map((name) => fault(name, now.limits[name], next.limits[name], String)),
  ].flat()
  return faults.length === 0 ? undefined : configError(faults, next.file)
}

/** The addresses stay. Of their options some change. */
function listenFaults(now: Settings['listen'], next: Settings['listen']): Fault[] {
  const addresses = (listen: Settings['listen']) => listen?.map(formatAddress).join(', ') ?? 'where the app asks to'
  if (now === undefined || next === undefined || addresses(now) !== addresses(next)) return fault('listen', now, next, addresses)
  return now.flatMap((one, index) => {
    const other = next[index] as ListenAddress
    const place = now.length === 1 ? 'listen' : `listen[${index}]`
    const names = new Set([...Object.keys(one), ...Object.keys(other)]) as Set<keyof ListenAddress>
    const fixed = [...names].filter((name) => !RELOADED.has(name) && !isDeepStrictEqual(one[name], other[name]))
    const faults = fixed.map((name) => ({ path: `${place}.${name}`, message: `can't change in a reload: ${OPENED}; ${INSTEAD}` }))
    if ((one.tls === undefined) === (other.tls === undefined)) return faults
    return [...faults, { path: `${place}.tls`, message: `can't be turned on or off in a reload: ${SIDE_BY_SIDE}; ${INSTEAD}` }]
  })
}

/** The primary opens the files of the access log once. Workers get its format and sample with each reload. */
function filesOf({ accessLog }: Settings) {
  return accessLog && { folder: accessLog.folder, file: accessLog.file, rotate: accessLog.rotate }
}

function fault<T>(path: string, now: T, next: T, show: (value: T) => string): Fault[] {
  if (isDeepStrictEqual(now, next)) return []
  const [from, to] = [show(now), show(next)]
  const change = from === to ? 'it has changed' : `it is ${from}, and would be ${to}`
  return [{ path, message: `can't change in a reload (${change}); ${INSTEAD}` }]
}
