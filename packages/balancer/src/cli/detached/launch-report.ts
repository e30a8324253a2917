// What a detached `balancer start` reports to the command that launched it: that it is ready, or why it could not start. A pipe carries one JSON
// object per line.

import { closeSync, writeSync } from 'node:fs'
import type { ControlError } from '../../control/control-protocol.ts'
import { BalancerError } from '../../errors.ts'
import { messageOf } from '../../thrown-error.ts'

/** Names the descriptor of the pipe in the environment of the detached process. */
export const LAUNCH_VARIABLE = 'SWITCHYARD_LAUNCH'

/** What a detached balancer says when it is ready. */
export interface ReadyReport {
  readonly name: string
  readonly pid: number
  readonly addresses: readonly string[]
  /** Those of them where workers end TLS. */
  readonly tlsAddresses?: readonly string[] | undefined
  /** URL of the admin page; null: it has none. */
  readonly admin: string | null
  /** Path of the control socket; null: it has none. */
  readonly control: string | null
}

/** `starting`: the config is read, and the start takes at most this long. */
export type LaunchMessage = { starting: { timeoutMs: number } } | { ready: ReadyReport } | { failed: ControlError }

/** The detached process's end of the pipe. Each message after the last one is dropped. */
export class LaunchReport {
  private fd: number | undefined

  private constructor(fd: number) {
    this.fd = fd
  }

  /** undefined: no command waits for this process. Removes the variable from `env`, so that workers and new primaries do not inherit it. */
  static fromEnvironment(env: NodeJS.ProcessEnv): LaunchReport | undefined {
    const fd = Number(env[LAUNCH_VARIABLE])
    delete env[LAUNCH_VARIABLE]
    return Number.isInteger(fd) && fd > 2 ? new LaunchReport(fd) : undefined
  }

  /** The config is read. From now on the command waits for at most `timeoutMs`. */
  sendStarting(timeoutMs: number): void {
    this.send({ starting: { timeoutMs } })
  }

  /** Ends the report. */
  sendReady(ready: ReadyReport): void {
    this.send({ ready })
    this.close()
  }

  /** Ends the report. */
  sendFailure(error: unknown): void {
    const message = messageOf(error)
    const details = error instanceof BalancerError ? { code: error.code, source: error.source, retryable: error.retryable } : {}
    this.send({ failed: { message, ...details } })
    this.close()
  }

  /** A command that was killed reads nothing any more. That does not matter to the balancer. */
  private send(message: LaunchMessage): void {
    if (this.fd === undefined) return
    try {
      writeSync(this.fd, `${JSON.stringify(message)}\n`)
    } catch {
      this.close()
    }
  }

  private close(): void {
    if (this.fd === undefined) return
    try {
      closeSync(this.fd)
    } catch {
      // It is closed already.
    }
    this.fd = undefined
  }
}
