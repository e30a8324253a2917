// Compresses rotated log files, one at a time, in the thread pool of Node.

import { createReadStream, existsSync } from 'node:fs'
import { open, rename, rm, stat, truncate } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { compressedPath, partialPath } from './rotated-names.ts'

export interface CompressionOptions {
  /** A file is left alone until it has not changed for so long. */
  readonly settleMs: number
  readonly onFailed?: ((error: Error) => void) | undefined
}

/** More files wait for the next rotation or start. */
const MAX_WAITING = 1_000
const CHUNK_BYTES = 512 * 1024
/** Takes a quarter of the time of zlib's default, for files of lines that are about a third larger. */
const LEVEL = 1

export class Compression {
  private readonly options: CompressionOptions
  private readonly waiting = new Set<string>()
  private readonly abort = new AbortController()
  private running: Promise<void> | undefined

  constructor(options: CompressionOptions) {
    this.options = options
  }

  /** Compresses the file when its turn comes. A path that waits already is not added again. */
  add(path: string): void {
    if (this.abort.signal.aborted || this.waiting.size >= MAX_WAITING) return
    this.waiting.add(path)
    this.running ??= this.run()
  }

  /** Resolves when no file is open. */
  async close(): Promise<void> {
    this.abort.abort()
    await this.running
  }

  private async run(): Promise<void> {
    const { signal } = this.abort
    for (const path of this.waiting) {
      if (signal.aborted) break
      try {
        if (await this.untilSettled(path)) await this.compress(path)
      } catch (error) {
        // The oldest files are removed while they wait, and another process may compress the same ones.
        if (!signal.aborted && !['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? ''))
          this.options.onFailed?.(error as Error)
      }
      this.waiting.delete(path)
    }
    this.running = undefined
  }

  /** Resolves with false when it is pointless to go on. */
  private async untilSettled(path: string): Promise<boolean> {
    const { settleMs } = this.options
    for (;;) {
      const { mtimeMs, ctimeMs } = await stat(path)
      // The change time is that of the rename.
      const leftMs = Math.max(mtimeMs, ctimeMs) + settleMs - Date.now()
      if (leftMs <= 0 || this.abort.signal.aborted) return !this.abort.signal.aborted
      await this.pause(Math.min(leftMs, settleMs))
    }
  }

  private async compress(path: string): Promise<void> {
    const partial = partialPath(path)
    const before = await stat(path)
    // Only one process makes this file.
    const output = await open(partial, 'wx', before.mode & 0o777)
    try {
      // Another process has made the compressed file, and is about to remove this one, or died before it could.
      if (existsSync(compressedPath(path))) {
        await output.close()
        await rm(partial, { force: true })
        return await removeRotated(path)
      }
      const { createGzip } = await import('node:zlib')
      await pipeline(
        createReadStream(path, { highWaterMark: CHUNK_BYTES }),
        createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES }),
        output.createWriteStream(),
        { signal: this.abort.signal },
      )
      // A process that is slower than any check may have written to it meanwhile. Or another process was first.
      if ((await stat(path)).size !== before.size) throw new Error(`${path} has changed`)
      await rename(partial, compressedPath(path))
    } catch (error) {
      await output.close().catch(() => {})
      await rm(partial, { force: true }).catch(() => {})
      throw error
    }
    await removeRotated(path)
  }

  private pause(ms: number): Promise<void> {
    const { signal } = this.abort
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms).unref()
      signal.addEventListener('abort', end)
    })
  }
}

/** Removes a rotated file. It is emptied first: a process that still has it open must not take its lines for ones that are lost. */
export async function removeRotated(path: string): Promise<void> {
  if (!path.endsWith('.gz')) await truncate(path).catch(() => {})
  await rm(path, { force: true }).catch(() => {})
}
