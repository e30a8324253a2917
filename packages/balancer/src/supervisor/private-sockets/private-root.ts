// One folder of private sockets, from its making to its end. Nobody but the users that the workers run as comes in; what lies in a worker's own folder is that user's to change.
// A socket in it, on which this process listens, tells others that the folder is in use: who has been killed could not remove it.

import { chmodSync, chownSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, rmdirSync, type Stats, unlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { namesIn, quietly, removeFlat } from './flat-folder.ts'
import { isPassable } from './socket-bases.ts'

/** The user and group of a worker; undefined: those of this process. */
export interface Owner {
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

/** What the name of every such folder begins with. */
export const ROOT_PREFIX = 'switchyard-'
/** The socket that tells whether somebody uses a folder. */
export const IN_USE = 'primary.sock'
/** What a worker's folder is called. */
const WORKER_NAME = /^\d+$/
const MAX_WORKERS = 10_000
const KEEP = -1
/** Others may pass through, and see nothing. */
export const PASSABLE = 0o711
export const PRIVATE = 0o700

export class PrivateRoot {
  readonly path: string
  private readonly made: Stats
  private readonly own = process.getuid?.()
  private readonly users = new Set<number | undefined>()
  private readonly inUse: Server

  /** Makes it. Throws what the system says. */
  constructor(base: string) {
    this.path = mkdtempSync(join(base, ROOT_PREFIX))
    this.made = lstatSync(this.path)
    this.inUse = listenQuietly(join(this.path, IN_USE))
  }

  /** Is it still there, and still this one? */
  get isThere(): boolean {
    try {
      const { dev, ino } = lstatSync(this.path)
      return dev === this.made.dev && ino === this.made.ino
    } catch (error) {
      return !['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
    }
  }

  /** Can workers of that user be reached in it by others, and reach them? */
  isOpenTo({ uid }: Owner): boolean {
    return uid === undefined || uid === this.own || isPassable(join(this.path, '..'))
  }

  /** The folder of one worker. Throws what the system says. */
  makeFolder(workerId: number, { uid, gid }: Owner): string {
    const folder = join(this.path, String(workerId))
    mkdirSync(folder, { mode: PRIVATE })
    try {
      if (uid !== undefined || gid !== undefined) chownSync(folder, uid ?? KEEP, gid ?? KEEP)
      this.admit(uid ?? this.own)
      if (this.users.size > 1) chmodSync(folder, PASSABLE)
      return folder
    } catch (error) {
      removeFlat(folder)
      throw error
    }
  }

  /** Removes a folder that `makeFolder` has made. */
  removeFolder(path: string): void {
    // By a name that is not ours any more, anybody may have put something else.
    if (this.isThere) removeFlat(path)
  }

  /** What cleans folders of temporary files takes what has not been touched for days. */
  touch(): void {
    if (!this.isThere) return
    const now = new Date()
    for (const folder of [this.path, ...this.workerFolders()]) {
      for (const name of namesIn(folder)) quietly(() => lutimesSync(join(folder, name), now, now))
      quietly(() => lutimesSync(folder, now, now))
    }
  }

  remove(): void {
    this.inUse.close()
    if (this.isThere) removeRoot(this.path)
  }

  private workerFolders(): string[] {
    return workerFoldersOf(this.path)
  }

  /** Workers of several users reach each other's sockets. Before there are two, each folder is for its own user. */
  private admit(user: number | undefined): void {
    if (this.users.has(user)) return
    this.users.add(user)
    if (user !== this.own) chmodSync(this.path, PASSABLE)
    if (this.users.size === 2) for (const folder of this.workerFolders()) chmodSync(folder, PASSABLE)
  }
}

/** Removes such a folder. What is not of its kind stays, and with it the folder. */
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

/** Nothing is said there: that somebody listens is what it tells. */
function listenQuietly(path: string): Server {
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
