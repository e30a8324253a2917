// What the command line touches of the world. Passed in, so that tests run commands without a process of their own.

import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import type { BalancerEmitter } from '../events.ts'
import type { Operations } from '../operations.ts'
import type { Settings } from '../settings.ts'
import { folderAsWritten } from '../system/written-path.ts'
import type { ExtraSockets } from '../upgrade/extra-sockets.ts'
import { UPGRADE_VARIABLE } from '../upgrade/messages.ts'
import type { Startup } from '../upgrade/startup.ts'

/** The balancer as the command line sees it. */
export interface RunningBalancer extends Operations {
  readonly events: BalancerEmitter
  readonly extraSockets: ExtraSockets
  start(): Promise<void>
}

export interface TextOutput {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

export type StopSignal = 'SIGINT' | 'SIGTERM'
export type Signal = StopSignal | 'SIGHUP'

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
  /** Started by a balancer that runs, to take its place. */
  isNewPrimary: boolean
  /** Has the terminal gone that the command wrote to? */
  hasLostTerminal(): boolean
  /** From now on the command ends when nobody can read any more what it prints. */
  endWithOutput(): void
  /** From now on the command goes on then. */
  outliveOutput(): void
  /** Is such a process there? */
  isAlive(pid: number): boolean
  /** What this process was started with. */
  inherit(): Promise<Startup>
  createBalancer(settings: Settings, startup: Startup): Promise<RunningBalancer>
}

/** The real world. The balancer is loaded only when it is to run, so that the other commands need no native module. */
export function processIo(): CliIo {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    // A reload reads again what stands behind the name of a link, and not what did at the start.
    cwd: folderAsWritten(process.env.PWD, process.cwd()),
    signals: process,
    isNewPrimary: process.env[UPGRADE_VARIABLE] !== undefined,
    hasLostTerminal: () => process.stdout.isTTY === true && !isatty(1),
    endWithOutput: () => void process.stdout.on('error', endWell),
    outliveOutput() {
      process.stdout.off('error', endWell)
      for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
    },
    isAlive,
    async inherit() {
      const { readStartup } = await import('../upgrade/startup.ts')
      return readStartup(process.env, process.pid)
    },
    async createBalancer(settings, startup) {
      const { Balancer } = await import('../balancer.ts')
      return new Balancer(settings, startup)
    },
  }
}

function endWell(): never {
  process.exit(0)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  try {
    // One that has ended, and that nobody has asked for its exit code.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return process.platform !== 'linux'
  }
}
