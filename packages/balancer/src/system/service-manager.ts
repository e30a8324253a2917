// Tells a service manager such as systemd how this process is doing, as sd_notify(3) has it. Says nothing where there is none.

import { spawn } from 'node:child_process'
import { sendDatagram } from '@switchyard/handoff'

const SOCKET = 'NOTIFY_SOCKET'
const WATCHDOG = 'WATCHDOG_USEC'
const WATCHDOG_PID = 'WATCHDOG_PID'
/** Does the same where there is no native module. */
const NOTIFY_COMMAND = 'systemd-notify'

/** One assignment, such as `READY=1`; without line ends. */
export type Assignment = `${string}=${string | number | bigint}`

export class ServiceManager {
  /** How often it wants to hear from us; undefined: it does not. */
  readonly watchdogMs: number | undefined
  /** What another process needs to speak to it in our place. */
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

  /** The one that has started this process, if one has. The variables are removed from `env`: workers are not to speak for the primary. */
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

  /** Says all of these at once. */
  send(...assignments: readonly Assignment[]): void {
    try {
      if (!this.sendDatagram(this.socket, assignments.join('\n'))) this.sendByCommand(assignments)
    } catch (error) {
      this.onFailed(`the service manager can't be told anything: ${(error as Error).message}`)
    }
  }

  /** In order, one after the other. */
  private sendByCommand(assignments: readonly Assignment[]): void {
    const env = { ...process.env, [SOCKET]: this.socket }
    const say = () =>
      new Promise<void>((resolve) => {
        const child = spawn(NOTIFY_COMMAND, [...assignments], { env, stdio: 'ignore' })
        child.once('exit', () => resolve())
        child.once('error', (error) => {
          this.onFailed(`the service manager can't be told anything: ${error.message}`)
          resolve()
        })
      })
    this.last = this.last.then(say)
  }
}

/** The moment by the clock that service managers compare by. */
export function monotonicUs(): bigint {
  return process.hrtime.bigint() / 1000n
}
