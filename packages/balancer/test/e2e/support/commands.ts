// Commands against a balancer that runs, each in a process of its own, as an operator gives them.

import { fileURLToPath } from 'node:url'
import { type LoggedChild, spawnLogged } from '../../../../../test/support/spawn.ts'
import type { RunningBalancer } from './running-balancer.ts'

const BIN = fileURLToPath(new URL('../../../bin/balancer.js', import.meta.url))

export interface CommandResult {
  readonly code: number | null
  readonly out: string
  /** What was not on stdout. */
  readonly err: string
}

/** Starts it in the folder of the balancer's config. */
export function startCommand({ temporary }: RunningBalancer, args: readonly string[]): LoggedChild {
  return spawnLogged(process.execPath, [BIN, ...args], { cwd: temporary, env: { ...process.env, TMPDIR: temporary, XDG_RUNTIME_DIR: '' } })
}

/** Runs it to its end. */
export async function runCommand(balancer: RunningBalancer, args: readonly string[]): Promise<CommandResult> {
  const child = startCommand(balancer, args)
  const { code } = await child.ended
  return { code, out: child.stdout(), err: child.stderr() }
}
