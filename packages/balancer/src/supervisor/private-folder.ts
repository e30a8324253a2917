// The folder of the workers' private sockets. Nobody but the users that the workers run as comes in; what lies in a worker's own folder is that
// user's to change, so nothing here follows a link in it.

import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { servingSocket } from '@switchyard/worker-runtime'

/** The user and group of a worker; undefined: those of this process. */
export interface Owner {
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

const KEEP = -1
/** Others may pass through, and see nothing. */
const PASSABLE = 0o711

export class PrivateFolder {
  private readonly path = mkdtempSync(join(tmpdir(), 'switchyard-'))
  private readonly own = process.getuid?.()
  private readonly users = new Set<number | undefined>()

  /** A path in a folder of the worker's own: its app may have several servers. */
  socketFor(workerId: number, { uid, gid }: Owner = {}): string {
    const folder = this.folderOf(workerId)
    mkdirSync(folder, { mode: 0o700 })
    if (uid !== undefined || gid !== undefined) chownSync(folder, uid ?? KEEP, gid ?? KEEP)
    this.admit(uid ?? this.own)
    if (this.users.size > 1) chmodSync(folder, PASSABLE)
    return join(folder, 'app.sock')
  }

  /** Where the worker's server answers, once it listens. */
  servingSocketOf(workerId: number): string {
    return servingSocket(this.folderOf(workerId))
  }

  /** The worker is gone, and its sockets with it. */
  removeSocketsOf(workerId: number): void {
    removeFlat(this.folderOf(workerId))
  }

  remove(): void {
    for (const name of namesIn(this.path)) removeFlat(join(this.path, name))
    rmSync(this.path, { recursive: true, force: true })
  }

  /** Workers of several users reach each other's sockets. Before there are two, each folder is for its own user. */
  private admit(user: number | undefined): void {
    if (this.users.has(user)) return
    this.users.add(user)
    if (user !== this.own) chmodSync(this.path, PASSABLE)
    if (this.users.size === 2) for (const name of namesIn(this.path)) chmodSync(join(this.path, name), PASSABLE)
  }

  private folderOf(workerId: number): string {
    return join(this.path, String(workerId))
  }
}

/** Without descending: a folder that has become a link meanwhile would lead elsewhere. */
function removeFlat(folder: string): void {
  for (const name of namesIn(folder)) quietly(() => unlinkSync(join(folder, name)))
  quietly(() => rmdirSync(folder))
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function quietly(body: () => void): void {
  try {
    body()
  } catch {
    // It is gone, or no file: then it stays.
  }
}
