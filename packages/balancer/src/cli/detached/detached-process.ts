// Launches `balancer start` in a session of its own, without a terminal, and waits for its report.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { errorOf } from '../../control/control-client.ts'
import { BalancerError } from '../../errors.ts'
import { openLogFile } from '../../log-files/log-file.ts'
import { LAUNCH_VARIABLE, type LaunchMessage, type ReadyReport } from './launch-report.ts'

export interface LaunchOptions {
  /** Arguments of `balancer`, such as `start server.js`. */
  readonly args: readonly string[]
  /** Gets stdout and stderr of the process. */
  readonly logFile: string
  readonly env: NodeJS.ProcessEnv
}

/** The report is on this descriptor, the first after stdin, stdout and stderr. */
const REPORT_FD = 3
/** How long a config may take to load. */
const CONFIG_MS = 60_000
/** Added to the time that a worker may take: the primary starts too, and a worker that has failed is tried again. */
const SPARE_MS = 30_000
const KILL_AFTER_MS = 5_000
const MAX_REPORT_CHARACTERS = 1024 * 1024

/** A process that is starting. */
export class DetachedProcess {
  readonly pid: number
  /** Where its lines begin in the log file, in bytes. */
  readonly logStart: number
  private readonly child: ChildProcess
  private readonly exited: Promise<string>
  private readonly report: Readable
  private timer: NodeJS.Timeout | undefined

  private constructor(child: ChildProcess, exited: Promise<string>, logStart: number) {
    this.logStart = logStart
    this.child = child
    this.pid = child.pid as number
    this.exited = exited
    this.report = child.stdio[REPORT_FD] as Readable
  }

  /** Throws ERR_LOG_FILE, or the system's error if there can be no more processes. */
  static async launch({ args, logFile, env }: LaunchOptions): Promise<DetachedProcess> {
    const log = openLogFile(logFile)
    try {
      const { size } = fstatSync(log)
      const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...args], {
        // An upgrade starts Node by the same path again.
        argv0: process.argv0,
        // A session of its own: the signals of the terminal do not reach it, and it outlives the terminal.
        detached: true,
        env: { ...env, [LAUNCH_VARIABLE]: String(REPORT_FD) },
        stdio: ['ignore', log, log, 'pipe'],
      })
      const exited = new Promise<string>((resolve) => {
        child.once('exit', (code, signal) => resolve(signal === null ? `exited with code ${code}` : `was ended by ${signal}`))
      })
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', reject)
      })
      return new DetachedProcess(child, exited, size)
    } finally {
      closeSync(log)
    }
  }

  /** Resolves when the balancer is ready. Throws the error of its start; ERR_APP_FAILED if it exits or takes too long, and then it is ended. */
  async untilReady(): Promise<ReadyReport> {
    const late = new Promise<never>((_, reject) => {
      this.onLate = (timeoutMs) => reject(this.failure(`was not ready within ${Math.round(timeoutMs / 1000)} s and was ended`))
    })
    this.limit(CONFIG_MS)
    try {
      return await Promise.race([this.readReport(), late])
    } catch (error) {
      await this.end()
      throw error
    } finally {
      clearTimeout(this.timer)
      this.release()
    }
  }

  /** Ends the process and its workers. Resolves when it has exited. */
  async end(): Promise<void> {
    this.kill(this.pid, 'SIGTERM')
    // The process leads a group of its own, with its workers in it.
    const timer = setTimeout(() => this.kill(-this.pid, 'SIGKILL'), KILL_AFTER_MS)
    await this.exited
    clearTimeout(timer)
  }

  private onLate: (timeoutMs: number) => void = () => {}

  private limit(timeoutMs: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.onLate(timeoutMs), timeoutMs)
  }

  private async readReport(): Promise<ReadyReport> {
    let text = ''
    this.report.setEncoding('utf8')
    for await (const part of this.report) {
      const lines = (text + part).split('\n')
      text = lines.pop() as string
      if (text.length > MAX_REPORT_CHARACTERS) break
      for (const line of lines) {
        const message = JSON.parse(line) as LaunchMessage
        if ('starting' in message) this.limit(2 * message.starting.timeoutMs + SPARE_MS)
        if ('failed' in message) throw errorOf(message.failed)
        if ('ready' in message) return message.ready
      }
    }
    throw this.failure(`${await this.exited} before it was ready`)
  }

  private failure(what: string): BalancerError {
    return new BalancerError('ERR_APP_FAILED', `The balancer ${what}`, { source: 'system' })
  }

  /** The command may exit now, and the process runs on. */
  private release(): void {
    this.report.destroy()
    this.child.unref()
  }

  private kill(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal)
    } catch {
      // It has exited.
    }
  }
}
