// The private sockets of all workers, in a folder that the primary makes with the first worker. If the folder is removed, or a worker of another user
// can't use it, the primary makes a new one under an unpredictable name. Workers with sockets in the old folder are then replaced, because new
// workers can't reach them.

import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { servingSocket } from '@switchyard/worker-runtime'
import { type Owner, PrivateRoot } from './private-root.ts'
import { baseFault, socketBases } from './socket-bases.ts'
import { removeStaleRoots } from './stale-roots.ts'

const TOUCH_MS = 3_600_000
/** The workers start first. */
const REMOVE_STALE_AFTER_MS = 1_000

export interface PrivateFolderOptions {
  /** Folders in which it may be made, the best first. */
  readonly bases?: readonly string[]
  /** Will workers of other users need it? */
  readonly isShared?: () => boolean
  /** A sentence for the log: the folder is not in the first base, or had to be made again. */
  readonly onNotice?: (message: string) => void
}

export class PrivateFolder {
  private readonly bases: readonly string[]
  private readonly isShared: () => boolean
  private readonly onNotice: (message: string) => void
  private readonly folders = new Map<number, { readonly root: PrivateRoot; readonly path: string }>()
  private root: PrivateRoot | undefined
  private readonly old: PrivateRoot[] = []
  private readonly touching: NodeJS.Timeout

  constructor({ bases = socketBases(process.env), isShared = () => false, onNotice = () => {} }: PrivateFolderOptions = {}) {
    this.bases = bases
    this.isShared = isShared
    this.onNotice = onNotice
    this.touching = setInterval(() => this.root?.touch(), TOUCH_MS).unref()
  }

  /** Makes a subfolder for the worker, since its app may have several servers, and returns a path in it. Throws if there is no usable base. */
  socketFor(workerId: number, owner: Owner = {}): string {
    const root = this.rootFor(owner)
    const path = root.makeFolder(workerId, owner)
    this.folders.set(workerId, { root, path })
    return join(path, 'app.sock')
  }

  /** Where the worker's server answers requests, once it listens. */
  servingSocketOf(workerId: number): string {
    return servingSocket(this.folders.get(workerId)?.path ?? '')
  }

  /** Why other workers can't find the sockets of this one any more; undefined if they can. */
  faultOf(workerId: number): string | undefined {
    const folder = this.folders.get(workerId)
    if (folder === undefined) return undefined
    if (folder.root !== this.root) return 'the private sockets of the other workers are in a new folder'
    return exists(folder.path) ? undefined : `its private folder is gone: ${folder.path}`
  }

  /** Call it when the worker is gone. */
  removeSocketsOf(workerId: number): void {
    const folder = this.folders.get(workerId)
    folder?.root.removeFolder(folder.path)
    this.folders.delete(workerId)
  }

  remove(): void {
    clearInterval(this.touching)
    for (const root of [...this.old, ...(this.root === undefined ? [] : [this.root])]) root.remove()
    this.root = undefined
  }

  private rootFor(owner: Owner): PrivateRoot {
    const { root } = this
    if (root?.exists === true && root.isOpenTo(owner)) return root
    const isShared = this.isShared() || owner.uid !== undefined || owner.gid !== undefined
    const made = this.makeRoot(isShared)
    if (root !== undefined) {
      this.old.push(root)
      this.onNotice(
        root.exists
          ? `the workers' private sockets are now in ${made.path}, where workers of other users can reach them`
          : `the folder of the workers' private sockets was removed: ${root.path}. The new folder is ${made.path}, and the workers are replaced one by one. Exclude ${root.path.slice(0, -6)}* from the cleaning of temporary files`,
      )
    }
    this.root = made
    return made
  }

  /** Uses the first base that works. If other users need the folder, a base that they can't pass through is the last choice. */
  private makeRoot(isShared: boolean): PrivateRoot {
    const faults: string[] = []
    for (const shared of isShared ? [true, false] : [false]) {
      for (const base of this.bases) {
        const fault = baseFault(base, shared)
        try {
          if (fault !== undefined) throw new Error(fault)
          const root = new PrivateRoot(base)
          setTimeout(() => void removeStaleRoots(base), REMOVE_STALE_AFTER_MS).unref()
          if (base !== this.bases[0])
            this.onNotice(`the workers' private sockets are in ${root.path}, because they can't be in ${faults[0]}`)
          return root
        } catch (error) {
          faults.push(`${base} (${(error as Error).message})`)
        }
      }
    }
    throw new Error(
      `there is no folder for the workers' private sockets: ${[...new Set(faults)].join('; ')}. Set TMPDIR to a writable folder with a short path`,
    )
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
