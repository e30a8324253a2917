// What the command line touches of the world. Passed in, so that tests run commands without a process of their own.

import type { BalancerEmitter } from '../events.ts'
import type { Settings } from '../settings.ts'
import type { BalancerStatus } from '../status.ts'
import type { Estate } from '../upgrade/estate.ts'
import type { Inheritance } from '../upgrade/inheritance.ts'

/** The balancer as the command line sees it. */
export interface RunningBalancer {
  readonly events: BalancerEmitter
  readonly estate: Estate
  start(): Promise<void>
  stop(reason: string): Promise<void>
  stopNow(): void
  status(): BalancerStatus
}

export interface TextOutput {
  write(text: string): unknown
  isTTY?: boolean
}

export type StopSignal = 'SIGINT' | 'SIGTERM'

export interface Signals {
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown
  off(signal: StopSignal, listener: (signal: StopSignal) => void): unknown
}

export interface CliIo {
  stdout: TextOutput
  stderr: TextOutput
  env: NodeJS.ProcessEnv
  cwd: string
  signals: Signals
  /** What this process was started with. */
  inherit(): Promise<Inheritance>
  createBalancer(settings: Settings, inheritance: Inheritance): Promise<RunningBalancer>
}

/** The real world. The balancer is loaded only when it is to run, so that `check` and `explain` need no native module. */
export function processIo(): CliIo {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    signals: process,
    async inherit() {
      const { inherit } = await import('../upgrade/inheritance.ts')
      return inherit(process.env, process.pid)
    },
    async createBalancer(settings, inheritance) {
      const { Balancer } = await import('../balancer.ts')
      return new Balancer(settings, inheritance)
    },
  }
}
