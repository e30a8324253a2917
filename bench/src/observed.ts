// Starts a contender of `observing` with its observers, in a folder of its own for its log files and its control socket.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Contender } from './contenders.ts'
import { type Observation, observers } from './observers.ts'
import { type RunningServer, startServer } from './server.ts'

/** Resolves when all observers have observed once. `stop` rejects if one of them did not do so all the time. */
export async function startObserved(contender: Contender): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-observed-'))
  const control = join(folder, 'control')
  const running: Observation[] = []
  let server: RunningServer | undefined
  const stop = async (): Promise<void> => {
    const ends = await Promise.allSettled(running.splice(0).map((observation) => observation.stop()))
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }
  try {
    const { name, args, env } = contender
    server = await startServer({ name, args: [...args, '--control', control], env: { ...env, LOG_FOLDER: join(folder, 'logs') } })
    for (const observer of contender.observers ?? []) running.push(await observers[observer]({ ...server, control }))
    return { ...server, stop }
  } catch (error) {
    await stop().catch(() => {})
    throw error
  }
}
