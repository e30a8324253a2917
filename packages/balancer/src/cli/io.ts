// Everything that commands use of their process: output, environment, signals, the balancer. Tests pass their own.

import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { MetricStore } from '../counts/metric-store.ts'
import type { BalancerEmitter } from '../events.ts'
import type { Insight } from '../insight/insight.ts'
import type { ExtraSockets } from '../listeners/extra-sockets.ts'
import type { Operations } from '../operations.ts'
import type { Settings } from '../settings.ts'
import type { LogStatuses, LoopReading } from '../status.ts'
import { isAlive } from '../system/is-alive.ts'
import { folderAsWritten } from '../system/written-path.ts'
import { UPGRADE_VARIABLE } from '../upgrade/messages.ts'
import type { Startup } from '../upgrade/startup.ts'

/** The part of the balancer that commands use. */
export interface RunningBalancer extends Operations {
  readonly events: BalancerEmitter
  readonly extraSockets: ExtraSockets
  /** The metrics that workers push. */
  readonly metrics?: MetricStore
  /** What the balancer can say of its decisions. Left out: nothing. */
  readonly insight?: Insight | undefined
  /** Reads what the status says of the log, which the balancer does not write. */
  readLogStatus: () => LogStatuses
  /** Do health checks fail, because it is about to stop? */
  isStopping?: () => boolean
  /** The event loop of every worker that runs. */
  loops(): LoopReading[]
  /** The routes in force. */
  start(): Promise<void>
}

/** The version of this package. */
export function ownVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

export interface TextOutput {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
  rows?: number
}

export type StopSignal = 'SIGINT' | 'SIGTERM'
export type Signal = StopSignal | 'SIGHUP' | 'SIGUSR2'

export interface Signals {
  on(signal: Signal, listener: (signal: Signal) => void): unknown
  off(signal: Signal, listener: (signal: Signal) => void): unknown
}

export interface CliIo {
  stdout: TextOutput
  stderr: TextOutput
  env: NodeJS.ProcessEnv
  cwd: string
  signals: Signals
  /** A running balancer started this process for an upgrade. */
  isNewPrimary: boolean
  /** Is the terminal gone that the command wrote to? */
  hasLostTerminal(): boolean
  /** From now on the command exits when its stdout is closed, as by `| head`. */
  exitWhenOutputCloses(): void
  /** From now on the command keeps running when its output is closed. */
  ignoreClosedOutput(): void
  /** Does the process exist? A zombie does not count. */
  isAlive(pid: number): boolean
  /** The sockets and the old primary that this process was started with. */
  readStartup(): Promise<Startup>
  createBalancer(settings: Settings, startup: Startup): Promise<RunningBalancer>
}

/** The real process. The balancer is imported only to start it, so that other commands need no native module. */
export function processIo(): CliIo {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    // The path with its symbolic links: a reload follows a link to its new target.
    cwd: folderAsWritten(process.env.PWD, process.cwd()),
    signals: process,
    isNewPrimary: process.env[UPGRADE_VARIABLE] !== undefined,
    hasLostTerminal: () => process.stdout.isTTY === true && !isatty(1),
    exitWhenOutputCloses: () => void process.stdout.on('error', exitWithSuccess),
    ignoreClosedOutput() {
      process.stdout.off('error', exitWithSuccess)
      for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
    },
    isAlive,
    async readStartup() {
      const { readStartup } = await import('../upgrade/startup.ts')
      return readStartup(process.env, process.pid)
    },
    async createBalancer(settings, startup) {
      const { Balancer } = await import('../balancer.ts')
      return new Balancer(settings, startup)
    },
  }
}

function exitWithSuccess(): never {
  process.exit(0)
}
