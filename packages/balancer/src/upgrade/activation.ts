// Socket activation: a service manager opens the listening sockets and starts this process with them, from descriptor 3 on. See
// sd_listen_fds(3).

import { describeListener } from '@switchyard/handoff'
import type { ListenAddress } from '../listener-settings.ts'
import type { InheritedSocket } from '../listeners/inherited-sockets.ts'

const FIRST_FD = 3
/** A larger LISTEN_FDS is a mistake. */
const MAX_FDS = 1024

export interface Activation {
  readonly sockets: readonly InheritedSocket[]
  /** One sentence for each descriptor that can't be used. */
  readonly warnings: readonly string[]
}

/**
 * Reads the sockets that a service manager has passed to this process, `pid`, and removes the variables from `env`, so that workers do not inherit them.
 * `describe` returns the address of a listening descriptor.
 */
export function readActivation(env: NodeJS.ProcessEnv, pid: number, describe = describeListener): Activation {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete env[name]
  const count = Number(LISTEN_FDS)
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1 || count > MAX_FDS) return { sockets: [], warnings: [] }
  const names = LISTEN_FDNAMES?.split(':') ?? []
  const sockets: InheritedSocket[] = []
  const warnings: string[] = []
  for (let index = 0; index < count; index++) {
    const fd = FIRST_FD + index
    const found = describe(fd)
    if (found !== undefined) {
      sockets.push({ ...found, fd, askedPort: undefined, number: undefined, isManaged: true })
    } else {
      const name = names[index] === undefined ? '' : ` (${names[index]})`
      warnings.push(`descriptor ${fd}${name} of the service manager is not a listening stream socket and is not used`)
    }
  }
  return { sockets, warnings }
}

/** The address of an inherited socket as `listen` in a config. */
export function addressOf({ host, port, path, ipv6Only }: InheritedSocket): ListenAddress {
  return { host, port, path, ipv6Only: ipv6Only ?? false, backlog: 511, peek: true }
}
