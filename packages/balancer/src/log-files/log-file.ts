// One log file that a LineWriter appends to: opens it, notices when it was moved or removed, and has it rotated when it is due.

import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, type Stats, writeSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BalancerError } from '../errors.ts'
import { type LineBudget, type LineTarget, LineWriter, type LineWriterOptions } from './line-writer.ts'

/** Makes room for new lines. */
export interface Rotation {
  isDue(file: RotatedFile): boolean
  /** Resolves with whether the path is free, so that a new file must be opened. Rejects if the file could not be rotated; it grows on. */
  rotate(file: RotatedFile): Promise<boolean>
  /** The file was opened. */
  onOpened?(path: string): void
}

export interface RotatedFile {
  readonly path: string
  readonly fd: number
  readonly bytes: number
  /** When its oldest or last known line was written. */
  readonly sinceMs: number
}

export interface LogFileOptions
  extends Pick<LineWriterOptions, 'gapLine' | 'onFailing' | 'onRecovered' | 'onLost' | 'maxBatch' | 'retryMs'> {
  readonly rotation?: Rotation | undefined
  readonly budget?: LineBudget | undefined
  /** Called with each failed rotation. */
  readonly onNotRotated?: ((error: Error) => void) | undefined
  readonly mode?: number | undefined
}

/** How long lines may go to a file that was moved or removed. */
export const CHECK_EVERY_MS = 1_000
/** After a failed rotation. */
const ROTATE_AGAIN_MS = 10_000
/** The end of the process waits so long for a write that does not progress. */
const STUCK_MS = 4_000
/** Lines may contain what clients sent, so other users may not read them. */
const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
const LINE_FEED = 10
/** A write of another process goes on meanwhile. */
const LOOK_AGAIN_MS = 2
const PAUSE = new Int32Array(new SharedArrayBuffer(4))

/** Opens a log file to append to it, and makes its folder. Returns the descriptor. Throws ERR_LOG_FILE; `remedy` says what to do. */
export function openLogFile(path: string, remedy = 'Name another file with --log-file', mode = FILE_MODE): number {
  try {
    return openRegular(path, mode)
  } catch (cause) {
    throw new BalancerError('ERR_LOG_FILE', `The log can't be written to ${path}: ${(cause as Error).message}. ${remedy}`, {
      source: 'system',
      cause,
    })
  }
}

export class LogFile implements LineTarget {
  readonly path: string
  readonly writer: LineWriter
  private readonly options: LogFileOptions
  private fd: number | undefined
  private inode: number | bigint | undefined
  private bytes = 0
  private sinceMs = 0
  private checkedAtMs = 0
  /** The length of the file at the last check. */
  private checkedBytes = 0
  private rotateAfterMs = 0
  private isReopening = false
  private rotation: Rotation | undefined

  /** The file is opened with the first line, or by `open()`. */
  constructor(path: string, options: LogFileOptions = {}) {
    this.path = path
    this.options = options
    this.rotation = options.rotation
    this.writer = new LineWriter({ ...options, target: this })
  }

  /** Opens the file now. Throws ERR_LOG_FILE. */
  open(remedy?: string): this {
    this.adopt(openLogFile(this.path, remedy, this.options.mode))
    return this
  }

  write(line: string): void {
    this.writer.write(line)
  }

  flush(done: () => void): void {
    this.writer.flush(done)
  }

  /** The next line goes to a file that is opened anew: the file was moved by another program, such as logrotate. */
  reopen(): void {
    this.isReopening = true
    this.writer.retry()
  }

  /** Another process rotates the file from now on, such as the new primary of an upgrade. */
  stopRotating(): void {
    this.rotation = undefined
  }

  /** Later lines are dropped. Resolves within seconds, as LineWriter's. */
  async close(): Promise<void> {
    await this.writer.close(STUCK_MS)
    // A write that hangs still uses the descriptor.
    if (this.writer.isIdle) this.closeDescriptor()
  }

  async descriptor(): Promise<number> {
    const now = Date.now()
    // The rest of a line belongs to its beginning, unless that is lost.
    if (this.fd !== undefined && this.writer.isTorn && fstatSync(this.fd).nlink > 0) return this.fd
    if (this.fd === undefined) this.adopt(openRegular(this.path, this.options.mode))
    else if (this.isReopening || now - this.checkedAtMs >= CHECK_EVERY_MS) await this.check(now)
    await this.rotateIfDue(now)
    return this.fd as number
  }

  onAppended(bytes: number): void {
    this.bytes += bytes
  }

  /** Opens the path again if another file is there, or none. */
  private async check(now: number): Promise<void> {
    const found = await statOf(this.path)
    const old = this.fd as number
    if (found?.ino !== this.inode) {
      const fd = openRegular(this.path, this.options.mode)
      // Lines since the last check went to a file that has no name any more.
      const { nlink, size } = fstatSync(old)
      if (nlink === 0) moveTail(old, fd, size < this.checkedBytes ? 0 : this.checkedBytes)
      closeSync(old)
      this.adopt(fd)
    } else this.bytes = found?.size ?? this.bytes
    this.isReopening = false
    this.checkedAtMs = now
    this.checkedBytes = this.bytes
  }

  private async rotateIfDue(now: number): Promise<void> {
    const { rotation, path, bytes, sinceMs } = this
    const fd = this.fd as number
    if (rotation === undefined || now < this.rotateAfterMs || bytes === 0 || this.writer.isTorn) return
    const file = { path, fd, bytes, sinceMs }
    if (!rotation.isDue(file)) return
    try {
      // Another process may have rotated it since the last check.
      await this.check(now)
      if (this.fd !== fd) return
      const isMoved = await rotation.rotate({ ...file, bytes: this.bytes })
      if (!isMoved) return void this.measure(fd)
    } catch (error) {
      this.rotateAfterMs = now + ROTATE_AGAIN_MS
      this.options.onNotRotated?.(error as Error)
      return
    }
    this.isReopening = true
    await this.check(now)
  }

  private adopt(fd: number): void {
    this.fd = fd
    this.checkedAtMs = Date.now()
    const { ino } = this.measure(fd)
    this.inode = ino
    this.rotation?.onOpened?.(this.path)
  }

  private measure(fd: number): Stats {
    const found = fstatSync(fd)
    this.bytes = found.size
    this.checkedBytes = found.size
    this.sinceMs = found.size === 0 ? Date.now() : found.mtimeMs
    return found
  }

  private closeDescriptor(): void {
    if (this.fd !== undefined) closeSync(this.fd)
    this.fd = undefined
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** Opens the file, with its folder, and ends a line that a process that died has left in part. */
function openRegular(path: string, mode = FILE_MODE): number {
  if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE })
  const fd = openSync(path, 'a+', mode)
  try {
    const found = fstatSync(fd)
    if (!found.isFile()) throw new Error('it is not a regular file')
    if (hasTornEnd(fd)) writeSync(fd, '\n')
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Does the file end with a part of a line? While another process writes, it does for a moment: then its size changes. */
function hasTornEnd(fd: number): boolean {
  const last = Buffer.alloc(1)
  for (let size = -1; ; Atomics.wait(PAUSE, 0, 0, LOOK_AGAIN_MS)) {
    const found = fstatSync(fd)
    if (found.size === 0 || readSync(fd, last, 0, 1, found.size - 1) !== 1 || last[0] === LINE_FEED) return false
    if (found.size === size) return true
    size = found.size
  }
}

/** As `copyTail`, but leaves nothing behind when it fails, so that it can be tried again. */
function moveTail(from: number, to: number, position: number): void {
  const { size } = fstatSync(to)
  try {
    copyTail(from, to, position)
  } catch (error) {
    ftruncateSync(to, size)
    closeSync(to)
    throw error
  }
}

/** Appends everything from `position` on to another file. */
export function copyTail(from: number, to: number, position: number): void {
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  for (let at = position; ; ) {
    const count = readSync(from, buffer, 0, buffer.length, at)
    if (count === 0) return
    for (let written = 0; written < count; ) written += writeSync(to, buffer, written, count - written)
    at += count
  }
}
