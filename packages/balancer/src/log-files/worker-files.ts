// The log files of the workers' output: finds the file of a line, opens it with its first line, and sums up what is lost.

import type { LogSettings } from '../settings.ts'
import type { LogStatus } from '../status.ts'
import { logFilePath, namesWorker } from './file-names.ts'
import { gapText, lineText, type OutputLine } from './line-text.ts'
import { LineBudget } from './line-writer.ts'
import { LogFile } from './log-file.ts'
import { batchFor, renamingRotation } from './rotation-settings.ts'

export interface WorkerFilesOptions {
  readonly settings: LogSettings
  /** Of the balancer. */
  readonly name: string
  readonly warn: (message: string) => void
  readonly inform: (message: string) => void
}

/** Unwritten characters of all files together. */
const MAX_UNWRITTEN = 32 * 1024 * 1024
/** Beyond it the file that was not written for the longest time is closed. */
const MAX_FILES = 512
const REMEDY = "Set 'logs.folder' to a folder that this user may write to"

interface OpenFile {
  readonly file: LogFile
  readonly template: string
  lastLine: number
}

export class WorkerFiles {
  private readonly options: WorkerFilesOptions
  private readonly rotation: ReturnType<typeof renamingRotation>
  private readonly budget = new LineBudget(MAX_UNWRITTEN)
  private readonly files = new Map<string, OpenFile>()
  /** By pool, slot and stream. */
  private readonly byWorker = new Map<string, OpenFile[]>()
  private readonly texts: Readonly<Record<'file' | 'errorFile', (line: OutputLine, time: number) => string>>
  private readonly failing = new Set<LogFile>()
  private readonly closing = new Set<Promise<void>>()
  private past = { written: 0, dropped: 0 }
  private lineCount = 0
  /** Lost since the files began to fail. */
  private lost = 0
  private hasWarnedOfRotation = false

  /** Opens the files of the workers `first`, so that a folder that can't be used is an error of the start. Throws ERR_LOG_FILE. */
  constructor(options: WorkerFilesOptions, first: readonly Pick<OutputLine, 'pool' | 'slot'>[] = []) {
    this.options = options
    const { settings } = options
    this.rotation = renamingRotation(settings.rotate, options.warn)
    this.texts = { file: lineText(this.textOptions('file')), errorFile: lineText(this.textOptions('errorFile')) }
    for (const worker of first) this.fileOf({ ...worker, stream: 'stdout' }).file.open(REMEDY)
  }

  /** `time` in milliseconds. */
  write(line: OutputLine, time: number = Date.now()): void {
    const open = this.byWorker.get(line.pool)?.[2 * line.slot + Number(line.stream === 'stderr')] ?? this.fileOf(line)
    open.lastLine = ++this.lineCount
    open.file.write(
      this.texts[line.stream === 'stderr' && this.options.settings.errorFile !== undefined ? 'errorFile' : 'file'](line, time),
    )
  }

  /** Another program has moved the files: opens them anew. */
  reopen(): void {
    for (const { file } of this.files.values()) file.reopen()
  }

  async flush(): Promise<void> {
    await Promise.all([...this.files.values()].map(({ file }) => new Promise<void>((resolve) => file.flush(resolve))))
  }

  /** Later lines are dropped. Resolves within seconds; `status` has what was lost. */
  async close(): Promise<void> {
    await Promise.all([...this.closing, ...[...this.files.values()].map(({ file }) => file.close())])
    await this.rotation?.close()
  }

  get status(): LogStatus {
    const status: LogStatus = { ...this.past, failure: null }
    for (const { file } of this.files.values()) {
      status.written += file.writer.written
      status.dropped += file.writer.dropped
    }
    for (const { path, writer } of this.failing) status.failure ??= `${path}: ${writer.failure?.message}`
    return status
  }

  private fileOf({ pool, slot, stream }: Omit<OutputLine, 'line'>): OpenFile {
    const { settings, name } = this.options
    const isError = stream === 'stderr' && settings.errorFile !== undefined
    const template = isError ? (settings.errorFile as string) : settings.file
    const path = logFilePath(settings.folder, template, { name, pool, slot })
    let open = this.files.get(path)
    if (open === undefined) {
      if (this.files.size >= MAX_FILES) this.closeOldest()
      open = { file: this.logFile(path, isError), template, lastLine: 0 }
      this.files.set(path, open)
    }
    const files = this.byWorker.get(pool) ?? []
    files[2 * slot + Number(stream === 'stderr')] = open
    this.byWorker.set(pool, files)
    return open
  }

  private logFile(path: string, isError: boolean): LogFile {
    const { rotate } = this.options.settings
    const file: LogFile = new LogFile(path, {
      rotation: this.rotation,
      budget: this.budget,
      maxBatch: batchFor(rotate),
      gapLine: gapText(this.textOptions(isError ? 'errorFile' : 'file')),
      onFailing: (error) => this.onFailing(file, error),
      onRecovered: () => this.onRecovered(file),
      onLost: (lost) => {
        this.lost += lost
        if (this.failing.size === 0) this.reportLost()
      },
      onNotRotated: (error) => {
        if (!this.hasWarnedOfRotation) this.options.warn(`${path} can't be rotated, and grows: ${error.message}`)
        this.hasWarnedOfRotation = true
      },
    })
    return file
  }

  private onFailing(file: LogFile, error: Error): void {
    this.failing.add(file)
    if (this.failing.size > 1) return
    this.options.warn(
      `${file.path} can't be written: ${error.message}. Lines are kept in memory, then dropped and counted, until it can; requests are served on`,
    )
  }

  private onRecovered(file: LogFile): void {
    this.failing.delete(file)
    if (this.failing.size > 0) return
    this.options.inform('the log files are written again')
    this.reportLost()
  }

  private reportLost(): void {
    const { lost } = this
    if (lost === 0) return
    this.lost = 0
    this.options.warn(
      `${lost} ${lost === 1 ? 'line' : 'lines'} of workers could not be written to the log files, and ${lost === 1 ? 'is' : 'are'} lost`,
    )
  }

  private closeOldest(): void {
    let oldest: [string, OpenFile] | undefined
    for (const entry of this.files) if (oldest === undefined || entry[1].lastLine < oldest[1].lastLine) oldest = entry
    if (oldest === undefined) return
    const [path, { file }] = oldest
    this.files.delete(path)
    this.byWorker.clear()
    const closed = file.close().then(() => {
      this.past.written += file.writer.written
      this.past.dropped += file.writer.dropped
      this.failing.delete(file)
      this.closing.delete(closed)
    })
    this.closing.add(closed)
  }

  private textOptions(which: 'file' | 'errorFile') {
    const { format, timestamps, file, errorFile } = this.options.settings
    return { format, timestamps, isNamed: namesWorker((which === 'errorFile' ? errorFile : undefined) ?? file) }
  }
}
