// Socket activation: a service manager opens the listening sockets and starts this process with them, from descriptor 3 on; see sd_listen_fds(3).

import { describeListener } from '@switchyard/handoff'
import type { ListenAddress } from '../settings.ts'
import type { InheritedSocket } from './inherited-sockets.ts'

const FIRST_FD = 3
/** More than any unit has; a number beyond it is a mistake. */
const MAX_FDS = 1024

export interface Activation {
  readonly sockets: readonly InheritedSocket[]
  /** One sentence for each descriptor that is of no use. */
  readonly warnings: readonly string[]
}

/**
 * What a service manager has passed to this process, `pid`. The variables are removed from `env`, so that nobody else takes them for his.
 * `describe`: what a descriptor listens on.
 */
export function takeActivation(env: NodeJS.ProcessEnv, pid: number, describe = describeListener): Activation {
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
      warnings.push(`descriptor ${fd}${name} that the service manager passed is no stream socket that listens: it is not used`)
    }
  }
  return { sockets, warnings }
}

/** Where to listen when no config says it. */
export function addressOf({ host, port, path, ipv6Only }: InheritedSocket): ListenAddress {
  return { host, port, path, ipv6Only: ipv6Only ?? false, backlog: 511, peek: true }
}
