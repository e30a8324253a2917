// Checks that the kernel allows the accept queues that the config asks for. It shortens longer ones without an error.

import { readFileSync } from 'node:fs'
import type { Settings } from '../settings.ts'
import type { Check } from './check.ts'

const NAME = 'accept queue'
const FILE = '/proc/sys/net/core/somaxconn'
const DEFAULT_BACKLOG = 511
/** The default of Linux since 5.4. */
const GOOD_SOMAXCONN = 4096

/** `somaxconn`: the limit of the kernel; undefined: not known. */
export function checkBacklog(listen: Settings['listen'], somaxconn: number | undefined = readSomaxconn()): Check {
  if (somaxconn === undefined) return { name: NAME, state: 'ok', found: 'the limit of the kernel is not known on this system' }
  const backlog = Math.max(...(listen === undefined || listen.length === 0 ? [DEFAULT_BACKLOG] : listen.map((address) => address.backlog)))
  if (somaxconn >= backlog) return { name: NAME, state: 'ok', found: `${backlog} connections; the kernel allows ${somaxconn}` }
  const setting = `net.core.somaxconn=${Math.max(backlog, GOOD_SOMAXCONN)}`
  return {
    name: NAME,
    state: 'warning',
    found: `the kernel allows ${somaxconn} connections in an accept queue (net.core.somaxconn), and the balancer asks for ${backlog}: in a burst it drops connections`,
    advice: `Raise it: 'sysctl -w ${setting}', kept by a file in /etc/sysctl.d; '--sysctl ${setting}' for docker run. Or set a smaller backlog of 'listen'.`,
  }
}

function readSomaxconn(): number | undefined {
  try {
    const value = Number.parseInt(readFileSync(FILE, 'utf8'), 10)
    return Number.isInteger(value) ? value : undefined
  } catch {
    return undefined
  }
}
