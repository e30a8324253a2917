// The folders in which private sockets may be made, best first. There are several because the path of a unix socket must be short, and the folder of
// temporary files may be missing, read-only, full or too deep.

import { statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, isAbsolute } from 'node:path'

/** The longest path of a unix socket, without the final NUL. */
const MAX_SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103
/** The longest path below a base: the folder, the subfolder of a worker, and the longest name in that. */
const LONGEST_INSIDE = '/switchyard-XXXXXX/4294967295/serving.sock.new'
const MAX_BASE_BYTES = MAX_SOCKET_PATH_BYTES - LONGEST_INSIDE.length

/** `TMPDIR`, the folder of the login session, and folders that nearly every system has. */
export function socketBases(env: NodeJS.ProcessEnv): string[] {
  const { XDG_RUNTIME_DIR: runtime } = env
  const all = [tmpdir(), ...(runtime !== undefined && isAbsolute(runtime) ? [runtime] : []), '/tmp', '/run', '/dev/shm']
  return [...new Set(all)]
}

/** Why no private socket can be made there; undefined if one can. `isShared`: workers of other users must reach it. */
export function baseFault(base: string, isShared: boolean): string | undefined {
  const bytes = Buffer.byteLength(base)
  if (bytes > MAX_BASE_BYTES) return `its path has ${bytes} bytes, more than the ${MAX_BASE_BYTES} that leave room for the path of a socket`
  const stats = statSync(base, { throwIfNoEntry: false })
  if (stats === undefined) return 'it does not exist'
  if (!stats.isDirectory()) return 'it is not a folder'
  return isShared && !isPassable(base) ? 'other users may not pass through it' : undefined
}

/** May every user pass through the folder and all folders above it? */
export function isPassable(folder: string): boolean {
  if (((statSync(folder, { throwIfNoEntry: false })?.mode ?? 0) & 0o001) === 0) return false
  return dirname(folder) === folder || isPassable(dirname(folder))
}
