// Sends the state of this process to a service manager such as systemd. See sd_notify(3).

import { spawn } from 'node:child_process'
import { sendDatagram } from '@switchyard/handoff'

const SOCKET = 'NOTIFY_SOCKET'
const WATCHDOG = 'WATCHDOG_USEC'
const WATCHDOG_PID = 'WATCHDOG_PID'
/** Used without the native module. */
const NOTIFY_COMMAND = 'systemd-notify'

/** For example `READY=1`; without line breaks. */
export type Assignment = `${string}=${string | number | bigint}`

export class ServiceManager {
  /** The watchdog expects a message within this time; undefined: there is no watchdog. */
  readonly watchdogMs: number | undefined
  /** Variables with which another process can notify it instead. */
  readonly env: Readonly<Record<string, string>>
  private readonly socket: string
  private readonly onFailed: (message: string) => void
  private readonly sendDatagram: typeof sendDatagram
  private last: Promise<void> = Promise.resolve()

  private constructor(socket: string, watchdogUs: number | undefined, onFailed: (message: string) => void, send: typeof sendDatagram) {
    this.socket = socket
    this.sendDatagram = send
    this.watchdogMs = watchdogUs === undefined ? undefined : watchdogUs / 1000
    this.env = { [SOCKET]: socket, ...(watchdogUs !== undefined && { [WATCHDOG]: String(watchdogUs) }) }
    this.onFailed = onFailed
  }

  /** The service manager that started this process; undefined: none. Removes the variables from `env`, so that workers do not notify it. */
  static fromEnvironment(
    env: NodeJS.ProcessEnv,
    pid: number,
    onFailed: (message: string) => void,
    send: typeof sendDatagram = sendDatagram,
  ): ServiceManager | undefined {
    const socket = env[SOCKET]
    const watchdogUs = Number(env[WATCHDOG])
    const isWatched = watchdogUs > 0 && (env[WATCHDOG_PID] === undefined || Number(env[WATCHDOG_PID]) === pid)
    for (const name of [SOCKET, WATCHDOG, WATCHDOG_PID]) delete env[name]
    if (socket === undefined || !/^[/@]./.test(socket)) return undefined
    return new ServiceManager(socket, isWatched ? watchdogUs : undefined, onFailed, send)
  }

  /** Sends all assignments in one message. */
  send(...assignments: readonly Assignment[]): void {
    try {
      if (!this.sendDatagram(this.socket, assignments.join('\n'))) this.sendByCommand(assignments)
    } catch (error) {
      this.onFailed(`the service manager can't be notified: ${(error as Error).message}`)
    }
  }

  /** One command after the other, in order. */
  private sendByCommand(assignments: readonly Assignment[]): void {
    const env = { ...process.env, [SOCKET]: this.socket }
    const run = () =>
      new Promise<void>((resolve) => {
        const child = spawn(NOTIFY_COMMAND, [...assignments], { env, stdio: 'ignore' })
        child.once('exit', () => resolve())
        child.once('error', (error) => {
          this.onFailed(`the service manager can't be notified: ${error.message}`)
          resolve()
        })
      })
    this.last = this.last.then(run)
  }
}

/** The time by CLOCK_MONOTONIC, which service managers compare by. */
export function monotonicUs(): bigint {
  return process.hrtime.bigint() / 1000n
}
