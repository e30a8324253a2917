// The log of a `balancer start`, and the files that it is written to: the log file of the balancer, and those of the workers' output.

import { resolve } from 'node:path'
import type { LogFilesReport } from '../../control/control-protocol.ts'
import type { AccessFiles, AccessLines } from '../../log-files/access-files.ts'
import { CopyingRotation } from '../../log-files/copying-rotation.ts'
import { gapText } from '../../log-files/line-text.ts'
import { LogFile } from '../../log-files/log-file.ts'
import type { WorkerFiles } from '../../log-files/worker-files.ts'
import type { Settings } from '../../settings.ts'
import type { LogStatus } from '../../status.ts'
import type { CliIo } from '../io.ts'
import { createLog, type Log } from '../log.ts'

export interface LogDestinationsOptions {
  readonly settings: Pick<Settings, 'logs' | 'accessLog' | 'name' | 'pools'>
  /** The log is appended to this file. undefined: it goes to stdout. */
  readonly logFile: string | undefined
  readonly level: string
  /** undefined: on a terminal. */
  readonly pretty: boolean | undefined
  readonly io: Pick<CliIo, 'cwd' | 'stdout'>
}

export class LogDestinations {
  readonly log: Log
  /** Where older lines are. */
  readonly report: LogFilesReport
  private readonly logFile: LogFile | undefined
  private readonly files: WorkerFiles | undefined
  private readonly accessFiles: AccessFiles | undefined

  /** Opens the files. Throws ERR_LOG_FILE. */
  static async open(options: LogDestinationsOptions): Promise<LogDestinations> {
    const { settings, io } = options
    const { logs, accessLog, name, pools } = settings
    const first = pools.map((pool) => ({ pool: pool.name, slot: 0 }))
    const inform = (message: string): void => destinations.log.logger.info(message)
    const warn = (message: string): void => destinations.log.logger.warn(message)
    const logFile = options.logFile === undefined ? undefined : ownLogFile(resolve(io.cwd, options.logFile), warn)
    let files: WorkerFiles | undefined
    if (logs !== undefined) {
      const { WorkerFiles } = await import('../../log-files/worker-files.ts')
      files = new WorkerFiles({ settings: logs, name, warn, inform }, first)
    }
    let accessFiles: AccessFiles | undefined
    if (accessLog !== undefined) {
      const { AccessFiles } = await import('../../log-files/access-files.ts')
      accessFiles = new AccessFiles({ settings: accessLog, name, warn, inform }, first)
    }
    const destinations = new LogDestinations(options, logFile, files, accessFiles)
    return destinations
  }

  private constructor(
    { settings, level, pretty, io }: LogDestinationsOptions,
    logFile: LogFile | undefined,
    files: WorkerFiles | undefined,
    accessFiles: AccessFiles | undefined,
  ) {
    this.logFile = logFile
    this.files = files
    this.accessFiles = accessFiles
    const isPretty = pretty ?? (logFile === undefined && io.stdout.isTTY === true)
    this.log = createLog({ output: logFile ?? io.stdout, level, pretty: isPretty, files })
    const { logs, name } = settings
    this.report = {
      own: isPretty ? null : (logFile?.path ?? null),
      workers: logs === undefined ? null : { name, folder: logs.folder, file: logs.file, errorFile: logs.errorFile ?? null },
    }
  }

  /** Appends lines of a worker to the access log. */
  writeAccess(lines: AccessLines): void {
    this.accessFiles?.write(lines)
  }

  /** null: there is no access log. */
  get accessStatus(): LogStatus | null {
    return this.accessFiles?.status ?? null
  }

  /** Another program has moved the files. */
  reopen(): void {
    const count = [this.logFile, this.files, this.accessFiles].filter((one) => one !== undefined).length
    this.logFile?.reopen()
    this.files?.reopen()
    this.accessFiles?.reopen()
    this.log.logger.info(count === 0 ? 'SIGUSR2: there are no log files to open anew' : 'SIGUSR2: the log files are opened anew')
  }

  /** After an upgrade the new primary rotates the balancer's own file. */
  onHandingOver(): void {
    this.logFile?.stopRotating()
  }

  /** Later lines are dropped. Resolves within seconds. */
  async close(): Promise<void> {
    const { files, log, logFile } = this
    const dropped = files?.status.dropped ?? 0
    await Promise.all([files?.close(), this.accessFiles?.close()])
    const lost = (files?.status.dropped ?? 0) - dropped
    if (lost > 0) log.logger.warn(`${lost} lines of workers could not be written to the log files before the end, and are lost`)
    await log.flush()
    await logFile?.close()
  }
}

/** Warnings about the file reach `balancer logs` at once, and the file when it can be written. */
function ownLogFile(path: string, warn: (message: string) => void): LogFile {
  return new LogFile(path, {
    rotation: new CopyingRotation(),
    gapLine: gapText({ format: 'json', timestamps: true, isNamed: false }),
    onFailing: (error) =>
      warn(`the log file can't be written: ${error.message}. Lines are kept in memory, then dropped and counted, until it can`),
    onNotRotated: (error) => warn(`the log file can't be rotated, and grows: ${error.message}`),
  }).open()
}
