// Appends lines to a descriptor, in batches and without waiting for the disk. Lines that can't be written are kept up to a bound, then dropped and
// counted. Own code: pino's SonicBoom counts no lines, and rotating-file-stream destroys itself on the first full disk.

import { write } from 'node:fs'
import type { LineBlock } from '@switchyard/worker-runtime'

/** Where a writer appends. */
export interface LineTarget {
  /** The descriptor of the next batch. Throws or rejects while there is none; the writer tries again. */
  descriptor(): number | Promise<number>
  onAppended?(bytes: number): void
}

/** Unwritten characters, shared by the writers that have one bound together. */
export class LineBudget {
  used = 0
  readonly most: number

  constructor(most: number) {
    this.most = most
  }
}

export interface LineWriterOptions {
  readonly target: LineTarget
  readonly budget?: LineBudget | undefined
  /** Characters of one batch at most, unless a single line is longer. */
  readonly maxBatch?: number | undefined
  /** From a failure to the next try. */
  readonly retryMs?: number | undefined
  /** The line that stands where lines were lost. Left out: none. */
  readonly gapLine?: ((lost: number) => string) | undefined
  /** Nothing can ever be written after this error: what is unwritten is lost at once. Left out: every failure may pass. */
  readonly isFinal?: ((error: NodeJS.ErrnoException) => boolean) | undefined
  /** The first failure of a row. */
  readonly onFailing?: ((error: NodeJS.ErrnoException) => void) | undefined
  /** Lines are written again. */
  readonly onRecovered?: (() => void) | undefined
  /** Lines were lost, and later ones are kept again. */
  readonly onLost?: ((lost: number) => void) | undefined
}

interface Batch {
  bytes: Buffer
  lines: number
  characters: number
  /** Bytes that are written. */
  at: number
}

const MAX_UNWRITTEN = 16 * 1024 * 1024
const MAX_BATCH = 4 * 1024 * 1024
/** A service manager kills a process that takes much longer to stop. */
const MAX_CLOSE_MS = 10_000
const RETRY_MS = 1_000
const LINE_FEED = 10

export class LineWriter {
  /** Lines that were lost, for ever. */
  dropped = 0
  /** Lines that were written. */
  written = 0
  /** Why nothing can be written; undefined: writing works. */
  failure: NodeJS.ErrnoException | undefined
  private readonly options: LineWriterOptions
  private readonly budget: LineBudget
  private readonly maxBatch: number
  private pending: (string | LineBlock)[] = []
  private pendingCharacters = 0
  private batch: Batch | undefined
  private isBusy = false
  private isClosing = false
  /** Lines are dropped until half of the budget is free, so that gaps are few. */
  private isDropping = false
  /** Dropped lines without a gap line yet. */
  private unreported = 0
  private whenIdle: (() => void)[] = []
  private endPause: () => void = () => {}

  constructor(options: LineWriterOptions) {
    this.options = options
    this.budget = options.budget ?? new LineBudget(MAX_UNWRITTEN)
    this.maxBatch = options.maxBatch ?? MAX_BATCH
  }

  get isIdle(): boolean {
    return !this.isBusy
  }

  /** Is a line written in part, because the last write failed in the middle of it? */
  get isTorn(): boolean {
    const { batch } = this
    return batch !== undefined && batch.at > 0 && batch.bytes[batch.at - 1] !== LINE_FEED
  }

  /** Appends one line, which ends with a line feed. */
  write(line: string): void {
    if (!this.hasRoom(line.length)) return this.drop(1)
    this.push(this.isDropping ? `${this.endGap()}${line}` : line)
  }

  /** Appends one or more lines at once. */
  writeBlock(block: LineBlock): void {
    if (!this.hasRoom(block.bytes)) return this.drop(block.lines)
    if (this.isDropping) this.pushGap()
    this.push(block)
  }

  /** Calls back when nothing is unwritten. That may be never while writing fails. */
  flush(done: () => void): void {
    if (this.isBusy) this.whenIdle.push(done)
    else done()
  }

  /** Tries again at once if the last try failed. */
  retry(): void {
    this.endPause()
  }

  /**
   * Later lines are dropped. Resolves when everything is written, or when nothing more was written for `stuckMs`; then the rest is lost. Resolves
   * within MAX_CLOSE_MS.
   */
  async close(stuckMs: number): Promise<void> {
    this.isClosing = true
    this.endPause()
    const flushed = new Promise<true>((resolve) => this.flush(() => resolve(true)))
    const deadlineMs = Date.now() + MAX_CLOSE_MS
    for (let before = -1; before !== this.progress && Date.now() < deadlineMs; ) {
      before = this.progress
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<false>((resolve) => {
        timer = setTimeout(() => resolve(false), stuckMs)
      })
      const isFlushed = await Promise.race([flushed, late])
      clearTimeout(timer)
      if (isFlushed) return
    }
    this.discard()
    this.endPause()
  }

  private get progress(): number {
    return this.written + (this.batch?.at ?? 0)
  }

  /** False: they are dropped, and so are those that follow for a while. */
  private hasRoom(characters: number): boolean {
    const { budget, isClosing, isDropping } = this
    const isFull = isClosing || (isDropping ? budget.used > budget.most / 2 : budget.used + characters > budget.most)
    this.isDropping ||= isFull
    return !isFull
  }

  private push(entry: string | LineBlock): void {
    const characters = charactersOf(entry)
    this.pending.push(entry)
    this.pendingCharacters += characters
    this.budget.used += characters
    if (this.isBusy) return
    this.isBusy = true
    // After the event that brought this line: it may bring many.
    setImmediate(() => void this.run())
  }

  /** Writes the line that stands for what was lost. Returns false if nothing was. */
  private pushGap(): boolean {
    const gap = this.endGap()
    if (gap === '') return false
    // No line of the owner: do not count it.
    this.written--
    this.push(gap)
    return true
  }

  private drop(lines: number): void {
    this.dropped += lines
    this.unreported += lines
  }

  /** Returns the line that stands for what was lost; empty: nothing was lost. */
  private endGap(): string {
    this.isDropping = false
    const lost = this.unreported
    if (lost === 0) return ''
    this.unreported = 0
    this.options.onLost?.(lost)
    return this.options.gapLine?.(lost) ?? ''
  }

  private async run(): Promise<void> {
    for (;;) {
      while (this.batch !== undefined || this.pending.length > 0) {
        this.batch ??= this.take()
        const { batch } = this
        if (await this.append(batch)) this.settle(batch)
        else if (this.isClosing || this.isLost()) this.discard()
        else await this.pause()
      }
      if (this.unreported === 0 || this.isLost() || (this.isClosing && this.failure !== undefined)) break
      if (!this.pushGap()) break
    }
    this.isBusy = false
    for (const done of this.whenIdle.splice(0)) done()
  }

  private take(): Batch {
    let entries = this.pending
    let characters = this.pendingCharacters
    if (characters <= this.maxBatch) this.pending = []
    else {
      let count = 0
      characters = 0
      while (count === 0 || characters + charactersOf(entries[count]) <= this.maxBatch) characters += charactersOf(entries[count++])
      this.pending = entries.slice(count)
      entries = entries.slice(0, count)
    }
    this.pendingCharacters -= characters
    return { bytes: bytesOf(entries), lines: linesIn(entries), characters, at: 0 }
  }

  /** Resolves with whether all of the batch is written. */
  private async append(batch: Batch): Promise<boolean> {
    const { target, onFailing, onRecovered } = this.options
    try {
      const fd = await target.descriptor()
      while (batch.at < batch.bytes.length) {
        const count = await appended(fd, batch.bytes, batch.at)
        batch.at += count
        target.onAppended?.(count)
      }
    } catch (error) {
      const isFirst = this.failure === undefined
      this.failure = error as NodeJS.ErrnoException
      if (isFirst) onFailing?.(this.failure)
      return false
    }
    if (this.failure !== undefined) {
      this.failure = undefined
      onRecovered?.()
    }
    return true
  }

  private settle(batch: Batch): void {
    // Closing may have given it up meanwhile.
    if (this.batch !== batch) return
    this.batch = undefined
    this.written += batch.lines
    this.budget.used -= batch.characters
  }

  private isLost(): boolean {
    return this.failure !== undefined && (this.options.isFinal?.(this.failure) ?? false)
  }

  /** Gives up everything that is unwritten. */
  private discard(): void {
    const { batch } = this
    if (batch !== undefined) {
      const lost = Math.min(batch.lines, lineFeedsIn(batch.bytes.subarray(batch.at)))
      this.written += batch.lines - lost
      this.budget.used -= batch.characters
      this.drop(lost)
      this.batch = undefined
    }
    this.budget.used -= this.pendingCharacters
    this.drop(linesIn(this.pending))
    this.pending = []
    this.pendingCharacters = 0
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.options.retryMs ?? RETRY_MS).unref()
      this.endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

function appended(fd: number, bytes: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, at, bytes.length - at, null, (error, count) => (error === null ? resolve(count) : reject(error)))
  })
}

function charactersOf(entry: string | LineBlock | undefined): number {
  if (entry === undefined) return 0
  return typeof entry === 'string' ? entry.length : entry.bytes
}

function linesIn(entries: readonly (string | LineBlock)[]): number {
  let lines = 0
  for (const entry of entries) lines += typeof entry === 'string' ? 1 : entry.lines
  return lines
}

function bytesOf(entries: readonly (string | LineBlock)[]): Buffer {
  if (entries.every((entry) => typeof entry === 'string')) return Buffer.from(entries.join(''))
  return Buffer.concat(entries.flatMap((entry) => (typeof entry === 'string' ? Buffer.from(entry) : entry.chunks)))
}

function lineFeedsIn(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) count++
  return count
}
