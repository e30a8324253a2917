// Folders of private sockets that primaries have left behind which were killed. Removed are those of this user that nobody listens in any more; a folder of which that can't be told stays.

import { lstatSync, statSync } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { IN_USE, PASSABLE, PRIVATE, ROOT_PREFIX, removeRoot } from './private-root.ts'

/** So many names of a folder are looked at, and so many of those left behind are removed. */
const MAX_NAMES = 20_000
const MAX_REMOVED = 1000
const CONNECT_MS = 1000
const NAME = new RegExp(`^${ROOT_PREFIX}\\w{6}$`)
const WORLD_WRITABLE = 0o002
const STICKY = 0o1000

/** Clears them out of a folder of temporary files. Rejects never. */
export async function removeStaleRoots(base: string): Promise<void> {
  try {
    // Where anybody may put one folder in another's place nothing can be told by its name.
    const { mode } = statSync(base)
    if ((mode & WORLD_WRITABLE) !== 0 && (mode & STICKY) === 0) return
    let [looked, removed] = [0, 0]
    for await (const { name } of await opendir(base)) {
      if (++looked > MAX_NAMES || removed >= MAX_REMOVED) break
      const path = join(base, name)
      if (!NAME.test(name) || !isOwnRoot(path) || !(await isLeft(path))) continue
      removeRoot(path)
      removed++
    }
  } catch {
    // It can't be read: nothing is removed.
  }
}

/** Such a folder, as this user makes it. */
function isOwnRoot(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isDirectory() === true && stats.uid === process.getuid?.() && [PRIVATE, PASSABLE].includes(stats.mode & 0o777)
}

/** Is the socket there by which its primary told that it uses the folder, and does nobody listen on it? */
function isLeft(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(join(path, IN_USE))
    const end = (left: boolean) => {
      socket.destroy()
      resolve(left)
    }
    socket.setTimeout(CONNECT_MS, () => end(false))
    socket.once('connect', () => end(false))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED'))
  })
}
