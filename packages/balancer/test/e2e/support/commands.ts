// Runs `balancer` commands against a running balancer, each in its own process.

import { fileURLToPath } from 'node:url'
import { type LoggedChild, spawnLogged } from '../../../../../test/support/spawn.ts'
import type { RunningBalancer } from './running-balancer.ts'

const BIN = fileURLToPath(new URL('../../../bin/balancer.js', import.meta.url))

export interface CommandResult {
  readonly code: number | null
  readonly out: string
  /** stderr. */
  readonly err: string
}

/** Starts a command in the folder of the balancer's config. */
export function startCommand({ temporary }: RunningBalancer, args: readonly string[]): LoggedChild {
  return spawnLogged(process.execPath, [BIN, ...args], { cwd: temporary, env: { ...process.env, TMPDIR: temporary, XDG_RUNTIME_DIR: '' } })
}

/** Resolves when the command has exited. */
export async function runCommand(balancer: RunningBalancer, args: readonly string[]): Promise<CommandResult> {
  const child = startCommand(balancer, args)
  const { code } = await child.ended
  return { code, out: child.stdout(), err: child.stderr() }
}
