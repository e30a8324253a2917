// Removes the folders of private sockets of primaries that were killed. A folder is removed if it belongs to this user and its `IN_USE` socket
// refuses connections. In any case of doubt it stays.

import { lstatSync, statSync } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { IN_USE, PASSABLE, PRIVATE, ROOT_PREFIX, removeRoot } from './private-root.ts'

/** Bounds the names that are read in one base, and the folders that are removed. */
const MAX_NAMES = 20_000
const MAX_REMOVED = 1000
const CONNECT_MS = 1000
/** A socket that has just been made may not accept connections yet. */
const MIN_AGE_MS = 500
const NAME = new RegExp(`^${ROOT_PREFIX}\\w{6}$`)
const WORLD_WRITABLE = 0o002
const STICKY = 0o1000

/** Removes stale folders from a folder of temporary files. Never rejects. */
export async function removeStaleRoots(base: string): Promise<void> {
  try {
    // In a world-writable folder without the sticky bit, any user can swap one folder for another, so names prove nothing.
    const { mode } = statSync(base)
    if ((mode & WORLD_WRITABLE) !== 0 && (mode & STICKY) === 0) return
    let [examined, removed] = [0, 0]
    for await (const { name } of await opendir(base)) {
      if (++examined > MAX_NAMES || removed >= MAX_REMOVED) break
      const path = join(base, name)
      if (!NAME.test(name) || !isOwnRoot(path) || isNew(path) || !(await isAbandoned(path))) continue
      removeRoot(path)
      removed++
    }
  } catch {
    // The folder can't be read, so nothing is removed.
  }
}

/** Is it a folder with the owner and mode that a primary of this user sets? */
function isOwnRoot(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isDirectory() === true && stats.uid === process.getuid?.() && [PRIVATE, PASSABLE].includes(stats.mode & 0o777)
}

function isNew(path: string): boolean {
  const stats = lstatSync(join(path, IN_USE), { throwIfNoEntry: false })
  return stats !== undefined && Date.now() - stats.mtimeMs < MIN_AGE_MS
}

/** Is its `IN_USE` socket there, and does no process listen on it? */
function isAbandoned(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(join(path, IN_USE))
    const end = (abandoned: boolean) => {
      socket.destroy()
      resolve(abandoned)
    }
    socket.setTimeout(CONNECT_MS, () => end(false))
    socket.once('connect', () => end(false))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED'))
  })
}
