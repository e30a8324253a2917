// The files of the access log: finds the file of a worker, appends what the worker sends, and sums up what is lost.

import type { LineBlock } from '@switchyard/worker-runtime'
import type { AccessLogSettings } from '../settings.ts'
import type { LogStatus } from '../status.ts'
import { logFilePath } from './file-names.ts'
import { LineBudget } from './line-writer.ts'
import { LogFile } from './log-file.ts'
import { batchFor, renamingRotation } from './rotation-settings.ts'

export interface AccessFilesOptions {
  readonly settings: AccessLogSettings
  /** Of the balancer. */
  readonly name: string
  readonly warn: (message: string) => void
  readonly inform: (message: string) => void
}

/** What a worker sends. */
export interface AccessLines {
  readonly pool: string
  readonly slot: number
  readonly block: LineBlock | undefined
  /** Lines that the worker could not send before. */
  readonly lost: number
}

/** Unwritten bytes of all files together. */
const MAX_UNWRITTEN = 16 * 1024 * 1024
/** Beyond it the file that was opened first is closed. */
const MAX_FILES = 512
const REMEDY = "Set 'logs.folder' to a folder that this user may write to"

export class AccessFiles {
  private readonly options: AccessFilesOptions
  private readonly rotation: ReturnType<typeof renamingRotation>
  private readonly budget = new LineBudget(MAX_UNWRITTEN)
  private readonly files = new Map<string, LogFile>()
  private readonly failing = new Set<LogFile>()
  private readonly closing = new Set<Promise<void>>()
  private readonly past = { written: 0, dropped: 0 }
  private hasWarnedOfLoss = false
  private hasWarnedOfRotation = false

  /** Opens the files of the workers `first`, so that a folder that can't be used is an error of the start. Throws ERR_LOG_FILE. */
  constructor(options: AccessFilesOptions, first: readonly Pick<AccessLines, 'pool' | 'slot'>[] = []) {
    this.options = options
    this.rotation = renamingRotation(options.settings.rotate, options.warn)
    for (const { pool, slot } of first) this.fileOf(pool, slot).open(REMEDY)
  }

  write({ pool, slot, block, lost }: AccessLines): void {
    this.past.dropped += lost
    if (lost > 0) this.warnOfLoss()
    if (block !== undefined) this.fileOf(pool, slot).writer.writeBlock(block)
  }

  /** Another program has moved the files: opens them anew. */
  reopen(): void {
    for (const file of this.files.values()) file.reopen()
  }

  /** Later lines are dropped. Resolves within seconds. */
  async close(): Promise<void> {
    await Promise.all([...this.closing, ...[...this.files.values()].map((file) => file.close())])
    await this.rotation?.close()
  }

  get status(): LogStatus {
    const status: LogStatus = { ...this.past, failure: null }
    for (const { writer } of this.files.values()) {
      status.written += writer.written
      status.dropped += writer.dropped
    }
    for (const { path, writer } of this.failing) status.failure ??= `${path}: ${writer.failure?.message}`
    return status
  }

  private fileOf(pool: string, slot: number): LogFile {
    const { settings, name } = this.options
    const path = logFilePath(settings.folder, settings.file, { name, pool, slot })
    let file = this.files.get(path)
    if (file === undefined) {
      if (this.files.size >= MAX_FILES) this.closeFirst()
      file = this.open(path)
      this.files.set(path, file)
    }
    return file
  }

  private open(path: string): LogFile {
    const { settings, warn, inform } = this.options
    const file: LogFile = new LogFile(path, {
      rotation: this.rotation,
      budget: this.budget,
      maxBatch: batchFor(settings.rotate),
      onFailing: (error) => {
        this.failing.add(file)
        if (this.failing.size > 1) return
        warn(
          `the access log ${path} can't be written: ${error.message}. Lines are kept in memory, then dropped and counted, until it can; requests are served on`,
        )
      },
      onRecovered: () => {
        this.failing.delete(file)
        if (this.failing.size === 0) inform('the access log is written again')
      },
      onLost: () => this.warnOfLoss(),
      onNotRotated: (error) => {
        if (!this.hasWarnedOfRotation) warn(`the access log ${path} can't be rotated, and grows: ${error.message}`)
        this.hasWarnedOfRotation = true
      },
    })
    return file
  }

  private warnOfLoss(): void {
    if (this.hasWarnedOfLoss) return
    this.hasWarnedOfLoss = true
    this.options.warn(
      'lines of the access log are lost, because they could not be written fast enough: the metric switchyard_access_log_lines_dropped_total counts them; accessLog.sample writes fewer',
    )
  }

  private closeFirst(): void {
    const [path, file] = this.files.entries().next().value as [string, LogFile]
    this.files.delete(path)
    const closed = file.close().then(() => {
      this.past.written += file.writer.written
      this.past.dropped += file.writer.dropped
      this.failing.delete(file)
      this.closing.delete(closed)
    })
    this.closing.add(closed)
  }
}
