// Options that a reload can't change: the sockets that the primary has opened, and the limits of its acceptors.

import { isDeepStrictEqual } from 'node:util'
import type { BalancerError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { configError, type Fault } from './faults.ts'
import { fixedLimits } from './limit-options.ts'
import { formatAddress } from './listen-options.ts'

/** One ERR_CONFIG for all of them that differ; undefined: none does. */
export function reloadFaults(now: Settings, next: Settings): BalancerError | undefined {
  const faults = [
    fault('listen', now.listen, next.listen, (listen) => listen?.map(formatAddress).join(', ') ?? 'where the app asks to'),
    fault('admin', now.admin, next.admin, (admin) => (admin === undefined ? 'off' : formatAddress(admin))),
    fault('control', now.control, next.control, (control) => (control === false ? 'off' : (control ?? 'the default one'))),
    fault('logs', now.logs, next.logs, (logs) => (logs === undefined ? 'off' : `in ${logs.folder}`)),
    fault('accessLog', filesOf(now), filesOf(next), (files) => (files === undefined ? 'off' : `in ${files.folder}`)),
    ...fixedLimits.map((name) => fault(name, now.limits[name], next.limits[name], String)),
  ].flat()
  return faults.length === 0 ? undefined : configError(faults, next.file)
}

/** The primary opens the files of the access log once. Workers get its format and sample with each reload. */
function filesOf({ accessLog }: Settings) {
  return accessLog && { folder: accessLog.folder, file: accessLog.file, rotate: accessLog.rotate }
}

function fault<T>(path: string, now: T, next: T, show: (value: T) => string): Fault[] {
  if (isDeepStrictEqual(now, next)) return []
  const [from, to] = [show(now), show(next)]
  const change = from === to ? 'it has changed' : `it is ${from}, and would be ${to}`
  return [{ path, message: `can't change in a reload (${change}); 'balancer upgrade' or a restart does that` }]
}
