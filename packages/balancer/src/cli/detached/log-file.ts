// The log file of a balancer (`--log-file`). A file that has grown large becomes `FILE.1`, so log files take a bounded amount of space.

import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, write, writeSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { nameOfPlace, type Place } from '../../control/control-path.ts'
import { BalancerError } from '../../errors.ts'
import type { LogOutput } from '../log.ts'

export interface LogFileOptions {
  /** A larger file becomes `FILE.1`. Default 64 MiB. */
  readonly maxBytes?: number | undefined
  /** How often the size is checked. Default 10,000. */
  readonly checkEveryMs?: number | undefined
}

const MAX_BYTES = 64 * 1024 * 1024
const CHECK_EVERY_MS = 10_000
/** Lines are dropped when more than this is unwritten, because the disk is slow. */
const MAX_UNWRITTEN_CHARACTERS = 16 * 1024 * 1024
/** Lines may contain what clients sent, so other users may not read them. */
const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

/** The default log file of a balancer: in the user's state folder, named like its control socket. */
export function defaultLogFile(place: Place, env: NodeJS.ProcessEnv): string {
  const { XDG_STATE_HOME: state } = env
  const base = state !== undefined && isAbsolute(state) ? state : join(env.HOME || homedir(), '.local', 'state')
  return join(base, 'switchyard', `${nameOfPlace(place)}.log`)
}

/** Opens a log file to append to it, and makes its folder. Returns the descriptor. Throws ERR_LOG_FILE. */
export function openLogFile(path: string): number {
  try {
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE })
    const fd = openSync(path, 'a+', FILE_MODE)
    if (fstatSync(fd).isFile()) return fd
    closeSync(fd)
  } catch (cause) {
    throw unusable(path, (cause as Error).message, cause)
  }
  throw unusable(path, 'it is not a regular file')
}

function unusable(path: string, why: string, cause?: unknown): BalancerError {
  return new BalancerError('ERR_LOG_FILE', `The log can't be written to ${path}: ${why}. Name another file with --log-file`, {
    source: 'system',
    cause,
  })
}

/** Appends lines to the file, without waiting for the disk, until `close()`. */
export class LogFile implements LogOutput {
  private readonly path: string
  private readonly fd: number
  private readonly maxBytes: number
  private readonly timer: NodeJS.Timeout
  /** Not written yet. */
  private pending: string[] = []
  private pendingCharacters = 0
  /** A write or a rotation is under way. There is one at a time. */
  private isBusy = false
  private isClosing = false
  private whenIdle: (() => void)[] = []

  /** Throws ERR_LOG_FILE. */
  constructor(path: string, { maxBytes = MAX_BYTES, checkEveryMs = CHECK_EVERY_MS }: LogFileOptions = {}) {
    this.path = path
    this.maxBytes = maxBytes
    this.fd = openLogFile(path)
    this.timer = setInterval(() => void this.rotateIfLarge(), checkEveryMs).unref()
  }

  write(text: string): void {
    if (this.isClosing || this.pendingCharacters > MAX_UNWRITTEN_CHARACTERS) return
    this.pending.push(text)
    this.pendingCharacters += text.length
    if (!this.isBusy) this.writeNext()
  }

  flush(done: () => void): void {
    if (this.isBusy) this.whenIdle.push(done)
    else done()
  }

  /** Another process bounds the file from now on, such as the new primary of an upgrade. */
  stopRotating(): void {
    clearInterval(this.timer)
  }

  /** Later lines are dropped. */
  close(): void {
    this.stopRotating()
    if (this.isClosing) return
    this.isClosing = true
    this.flush(() => closeSync(this.fd))
  }

  /**
   * Makes a file that is too large `FILE.1` and empties it. The file is copied and not renamed: stdout and stderr of a detached balancer are the same
   * open file.
   */
  async rotateIfLarge(): Promise<void> {
    if (this.isBusy) await new Promise<void>((resolve) => this.flush(resolve))
    if (this.isBusy || this.isClosing || fstatSync(this.fd).size <= this.maxBytes) return
    this.isBusy = true
    try {
      await this.rotate()
    } catch {
      // No space for the copy, for example. The next check tries again.
    }
    this.isBusy = false
    this.writeNext()
  }

  private async rotate(): Promise<void> {
    const old = `${this.path}.1`
    await copyFile(this.path, old)
    const copy = openSync(old, 'r+')
    try {
      // What came through stdout or stderr during the copy.
      appendFrom(this.fd, copy, fstatSync(copy).size)
    } finally {
      closeSync(copy)
    }
    ftruncateSync(this.fd, 0)
  }

  private writeNext(): void {
    if (this.pending.length === 0) {
      for (const done of this.whenIdle.splice(0)) done()
      return
    }
    const bytes = Buffer.from(this.pending.join(''))
    this.pending = []
    this.pendingCharacters = 0
    this.isBusy = true
    this.append(bytes)
  }

  /** On a full disk lines are lost, and the balancer serves on. */
  private append(bytes: Buffer): void {
    write(this.fd, bytes, (error, count) => {
      if (error === null && count < bytes.length) return this.append(bytes.subarray(count))
      this.isBusy = false
      this.writeNext()
    })
  }
}

/** Copies everything from `position` on to the same place in the other file. */
function appendFrom(fd: number, copy: number, position: number): void {
  const buffer = Buffer.alloc(65_536)
  for (let at = position; ; ) {
    const count = readSync(fd, buffer, 0, buffer.length, at)
    if (count === 0) return
    writeSync(copy, buffer, 0, count, at)
    at += count
  }
}
