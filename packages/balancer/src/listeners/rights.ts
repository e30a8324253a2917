// What the primary listens on for workers of another user. The primary may have the rights of root, and those are not for the app to use.

import { readFileSync } from 'node:fs'
import { isAbstract } from '@switchyard/handoff'
import type { ServerAddress } from '@switchyard/worker-runtime'
import type { PoolSettings } from '../settings.ts'

const FIRST_PORT_FILE = '/proc/sys/net/ipv4/ip_unprivileged_port_start'
const FIRST_PORT = 1024

/** May a server of this user and group have an address that the config does not name? undefined: those of this process. */
export function mayListen({ port, path }: ServerAddress, { uid, gid }: Pick<PoolSettings, 'uid' | 'gid'>): boolean {
  const isOther = (uid !== undefined && uid !== process.getuid?.()) || (gid !== undefined && gid !== process.getgid?.())
  if (!isOther) return true
  if (path !== undefined) return isAbstract(path)
  return port === undefined || port === 0 || port >= firstPort()
}

/** The first port that every user may have. */
function firstPort(): number {
  try {
    return Number(readFileSync(FIRST_PORT_FILE, 'latin1'))
  } catch {
    return FIRST_PORT
  }
}
