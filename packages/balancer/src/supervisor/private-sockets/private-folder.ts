// Where the workers' private sockets lie: in a folder that is made with the first worker. When it has been cleared away, or can't be used by a worker of another user, there is a new
// one, under a name that nobody could know before; workers of the old one can't be reached by those of the new one, and are to be replaced.

import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { servingSocket } from '@switchyard/worker-runtime'
import { type Owner, PrivateRoot } from './private-root.ts'
import { baseFault, socketBases } from './socket-bases.ts'
import { removeStaleRoots } from './stale-roots.ts'

const TOUCH_MS = 3_600_000

export interface PrivateFolderOptions {
  /** Where it may be, the best first. */
  readonly bases?: readonly string[]
  /** Workers of other users will come. */
  readonly isShared?: () => boolean
  /** One sentence for the log: it is not where it should be, or was not to be found. */
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

  /** A path in a folder of the worker's own: its app may have several servers. Throws when there is no place for it. */
  socketFor(workerId: number, owner: Owner = {}): string {
    const root = this.rootFor(owner)
    const path = root.makeFolder(workerId, owner)
    this.folders.set(workerId, { root, path })
    return join(path, 'app.sock')
  }

  /** Where the worker's server answers, once it listens. */
  servingSocketOf(workerId: number): string {
    return servingSocket(this.folders.get(workerId)?.path ?? '')
  }

  /** Why other workers don't find the sockets of this one any more; undefined: they do. */
  faultOf(workerId: number): string | undefined {
    const folder = this.folders.get(workerId)
    if (folder === undefined) return undefined
    if (folder.root !== this.root) return 'the private sockets of the others are in another folder now'
    return isThere(folder.path) ? undefined : `its private folder is gone: ${folder.path}`
  }

  /** The worker is gone, and its sockets with it. */
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
    if (root?.isThere === true && root.isOpenTo(owner)) return root
    const isShared = this.isShared() || owner.uid !== undefined || owner.gid !== undefined
    const made = this.makeRoot(isShared)
    if (root !== undefined) {
      this.old.push(root)
      this.onNotice(
        root.isThere
          ? `the private sockets of workers are in ${made.path} now, where workers of other users reach them`
          : `the folder of the workers' private sockets was removed, ${root.path}: there is a new one, ${made.path}, and the workers are replaced one after the other. What cleans temporary files has to leave ${root.path.slice(0, -6)}* alone`,
      )
    }
    this.root = made
    return made
  }

  /** In the first folder where it can be; where nobody else may pass only if there is no other. */
  private makeRoot(isShared: boolean): PrivateRoot {
    const faults: string[] = []
    for (const shared of isShared ? [true, false] : [false]) {
      for (const base of this.bases) {
        const fault = baseFault(base, shared)
        try {
          if (fault !== undefined) throw new Error(fault)
          const root = new PrivateRoot(base)
          void removeStaleRoots(base)
          if (base !== this.bases[0])
            this.onNotice(`the workers' private sockets are in ${root.path}, because they can't be in ${faults[0]}`)
          return root
        } catch (error) {
          faults.push(`${base} (${(error as Error).message})`)
        }
      }
    }
    throw new Error(
      `there is no folder for the workers' private sockets: ${[...new Set(faults)].join('; ')}. Set TMPDIR to a folder that can be written, with a short path`,
    )
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}
