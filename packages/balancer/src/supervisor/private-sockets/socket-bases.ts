// Folders in which the private sockets may lie, the best first. A unix socket's path is short, and the folder of temporary files may be anything: missing, read-only,
// full, or deep below others.

import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, isAbsolute } from 'node:path'

/** What the system takes as the path of a unix socket, without the NUL behind it. */
const MAX_SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103
/** What comes behind the base: the folder of the balancer, that of a worker, and the longest name in it. */
const LONGEST_INSIDE = '/switchyard-XXXXXX/4294967295/serving.sock.new'
const MAX_BASE_BYTES = MAX_SOCKET_PATH_BYTES - LONGEST_INSIDE.length

/** What `TMPDIR` says, the folder of the login session, and those that are nearly everywhere. */
export function socketBases(env: NodeJS.ProcessEnv): string[] {
  const { XDG_RUNTIME_DIR: runtime } = env
  const all = [tmpdir(), ...(runtime !== undefined && isAbsolute(runtime) ? [runtime] : []), '/tmp', '/run', '/dev/shm']
  return [...new Set(all)]
}

/** Why no socket of a worker can lie there; undefined: one can. `isShared`: workers of other users have to reach it. */
export function baseFault(base: string, isShared: boolean): string | undefined {
  const bytes = Buffer.byteLength(base)
  if (bytes > MAX_BASE_BYTES)
    return `its path has ${bytes} bytes, and the path of a socket in it would be too long beyond ${MAX_BASE_BYTES}`
  const stats = statSync(base, { throwIfNoEntry: false })
  if (stats === undefined) return 'it is not there'
  if (!stats.isDirectory()) return 'it is no folder'
  return isShared && !isPassable(base) ? 'other users may not pass through it' : undefined
}

/** May every user pass through the folder, and through those above it? */
export function isPassable(folder: string): boolean {
  if (((statSync(folder, { throwIfNoEntry: false })?.mode ?? 0) & 0o001) === 0) return false
  return dirname(folder) === folder || isPassable(dirname(folder))
}
