// A folder that holds the private sockets of all workers, with one subfolder for each worker. The primary makes and removes it.
// Only the users that workers run as may enter. A worker's user can change its own subfolder, so nothing in there is trusted.
// The primary listens on a socket in the folder. If the primary is killed, that socket refuses connections, and a later primary removes the folder.

import { chmodSync, chownSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, rmdirSync, type Stats, unlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { namesIn, quietly, removeFlat } from './flat-folder.ts'
import { isPassable } from './socket-bases.ts'

/** The user and group of a worker; undefined: those of the primary. */
export interface Owner {
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

/** How the name of every such folder begins. */
export const ROOT_PREFIX = 'switchyard-'
/** The socket that accepts connections while a primary uses the folder. */
export const IN_USE = 'primary.sock'
/** The name of a worker's subfolder. */
const WORKER_NAME = /^\d+$/
const MAX_WORKERS = 10_000
/** Makes chown leave the user or group as it is. */
const KEEP = -1
/** Other users may pass through the folder, but not list it. */
export const PASSABLE = 0o711
export const PRIVATE = 0o700

export class PrivateRoot {
  readonly path: string
  private readonly stats: Stats
  private readonly ownUid = process.getuid?.()
  private readonly uids = new Set<number | undefined>()
  private readonly inUse: Server

  /** Makes the folder. Throws the system's error. */
  constructor(base: string) {
    this.path = mkdtempSync(join(base, ROOT_PREFIX))
    this.stats = lstatSync(this.path)
    this.inUse = listenInUse(join(this.path, IN_USE))
  }

  /** Is the folder still there, and still the same one? */
  get exists(): boolean {
    try {
      const { dev, ino } = lstatSync(this.path)
      return dev === this.stats.dev && ino === this.stats.ino
    } catch (error) {
      return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
    }
  }

  /** Can workers of that user reach the other workers in the folder, and be reached by them? */
  isOpenTo({ uid }: Owner): boolean {
    return uid === undefined || uid === this.ownUid || isPassable(join(this.path, '..'))
  }

  /** Makes the subfolder of one worker. Throws the system's error. */
  makeFolder(workerId: number, { uid, gid }: Owner): string {
    const folder = join(this.path, String(workerId))
    mkdirSync(folder, { mode: PRIVATE })
    try {
      if (uid !== undefined || gid !== undefined) chownSync(folder, uid ?? KEEP, gid ?? KEEP)
      this.allowUser(uid ?? this.ownUid)
      if (this.uids.size > 1) chmodSync(folder, PASSABLE)
      return folder
    } catch (error) {
      removeFlat(folder)
      throw error
    }
  }

  /** Removes a subfolder made by `makeFolder`. */
  removeFolder(path: string): void {
    // If the folder is gone, another user may have put something else under its name.
    if (this.exists) removeFlat(path)
  }

  /** Renews all timestamps, because cleaners of temporary files remove what has been unchanged for days. */
  touch(): void {
    if (!this.exists) return
    const now = new Date()
    for (const folder of [this.path, ...this.workerFolders()]) {
      for (const name of namesIn(folder)) quietly(() => lutimesSync(join(folder, name), now, now))
      quietly(() => lutimesSync(folder, now, now))
    }
  }

  remove(): void {
    this.inUse.close()
    if (this.exists) removeRoot(this.path)
  }

  private workerFolders(): string[] {
    return workerFoldersOf(this.path)
  }

  /** Once workers run as two users or more, every subfolder opens to the others. Until then each is private to its user. */
  private allowUser(user: number | undefined): void {
    if (this.uids.has(user)) return
    this.uids.add(user)
    if (user !== this.ownUid) chmodSync(this.path, PASSABLE)
    if (this.uids.size === 2) for (const folder of this.workerFolders()) chmodSync(folder, PASSABLE)
  }
}

/** Removes such a folder with its subfolders and sockets. If anything else is in it, that stays, and so does the folder. */
export function removeRoot(path: string): void {
  for (const folder of workerFoldersOf(path)) removeFlat(folder)
  quietly(() => unlinkSync(join(path, IN_USE)))
  quietly(() => rmdirSync(path))
}

function workerFoldersOf(path: string): string[] {
  return namesIn(path, MAX_WORKERS)
    .filter((name) => WORKER_NAME.test(name))
    .map((name) => join(path, name))
}

/** Listens on a socket that closes every connection at once. */
function listenInUse(path: string): Server {
  const server = createServer((socket) => socket.destroy())
  server.on('error', () => {})
  const mask = process.umask(0o177)
  try {
    server.listen({ path, backlog: 8 })
  } finally {
    process.umask(mask)
  }
  return server.unref()
}
