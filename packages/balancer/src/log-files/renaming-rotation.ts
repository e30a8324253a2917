// Rotates log files by renaming them, removes the oldest, and has the others compressed. Several processes may rotate the same file: a rename loses no
// line, and the others notice it by the next check of their LogFile.

import { closeSync, openSync } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { Compression, removeRotated } from './compression.ts'
import { CHECK_EVERY_MS, type RotatedFile, type Rotation } from './log-file.ts'
import { compressedPath, partialFilesOf, rotatedFilesOf, rotatedPath } from './rotated-names.ts'

export interface RenamingRotationOptions {
  readonly maxBytes: number
  /** The period of a moment, in the zone of this process: a file has lines of one period only. Left out: one for ever. */
  readonly periodOf?: ((ms: number) => number) | undefined
  /** Rotated files of each log file. */
  readonly keep: number
  readonly compress: boolean
  readonly onNotCompressed?: ((error: Error) => void) | undefined
  /** How long another process may go on writing to a rotated file. */
  readonly settleMs?: number | undefined
}

/** A process that has just checked the file appends to it until its next check. */
const SETTLE_MS = 3 * CHECK_EVERY_MS
/** A compressed file that has not grown for so long belongs to a process that died. */
const PARTIAL_AGE_MS = 10 * 60_000
/** From a rotation until old files are removed: a busy file may be rotated many times a second. */
const TIDY_MS = 1_000
const MAX_TRIES = 1_000

export class RenamingRotation implements Rotation {
  private readonly options: RenamingRotationOptions
  private readonly compression: Compression | undefined
  /** Log files of which old ones will be removed and compressed. */
  private readonly due = new Map<string, NodeJS.Timeout>()

  constructor(options: RenamingRotationOptions) {
    this.options = options
    const { compress, settleMs = SETTLE_MS, onNotCompressed } = options
    if (compress) this.compression = new Compression({ settleMs, onFailed: onNotCompressed })
  }

  isDue({ bytes, sinceMs }: RotatedFile): boolean {
    const { maxBytes, periodOf } = this.options
    return bytes >= maxBytes || (periodOf !== undefined && periodOf(sinceMs) !== periodOf(Date.now()))
  }

  async rotate({ path }: RotatedFile): Promise<boolean> {
    const target = reserve(path)
    try {
      await rename(path, target)
    } catch (error) {
      await rm(target, { force: true })
      // ENOENT: another process was first.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    this.tidySoon(path)
    return true
  }

  /** What an earlier process has left: too many files, files that are not compressed, files that are compressed in part. */
  onOpened(path: string): void {
    this.tidySoon(path)
  }

  /** Stops compressing. A file that is not compressed yet stays as it is until the next start. */
  async close(): Promise<void> {
    await this.compression?.close()
    const due = [...this.due]
    for (const [, timer] of due) clearTimeout(timer)
    this.due.clear()
    await Promise.all(due.map(([path]) => this.tidy(path)))
  }

  private tidySoon(path: string): void {
    if (this.due.has(path)) return
    const tidy = () => {
      this.due.delete(path)
      void this.tidy(path)
    }
    this.due.set(path, setTimeout(tidy, TIDY_MS).unref())
  }

  private async tidy(path: string): Promise<void> {
    for (const partial of await partialFilesOf(path)) {
      const found = await stat(partial).catch(() => undefined)
      if (found !== undefined && Date.now() - found.mtimeMs > PARTIAL_AGE_MS) await rm(partial, { force: true }).catch(() => {})
    }
    const files = await rotatedFilesOf(path)
    const surplus = files.length - this.options.keep
    for (const [index, file] of files.entries()) {
      if (index < surplus) await removeRotated(file.path)
      else if (!file.isCompressed) this.compression?.add(file.path)
    }
  }
}

/** Makes an empty file under a name that no other process can take any more, and returns its path. */
function reserve(path: string): string {
  const now = Date.now()
  for (let tries = 0; ; tries++) {
    const target = rotatedPath(path, now + tries)
    try {
      // Its compressed form may be there already.
      closeSync(openSync(compressedPath(target), 'r'))
      continue
    } catch {}
    try {
      closeSync(openSync(target, 'wx', 0o600))
      return target
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || tries === MAX_TRIES) throw error
    }
  }
}
