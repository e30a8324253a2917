// Starts a contender, and checks its answers before anything is timed.

import type { Contender } from './contenders.ts'
import { type RunningServer, startServer } from './server.ts'

/** All workers must have answered by then. */
export const ALL_WORKERS_MS = 20_000
const ASKED_TOGETHER = 8

export interface CheckedAnswer {
  readonly status: number
  readonly body: string
  /** Names the worker that has answered. */
  readonly worker: string
}

/** Resolves when each worker has answered 200 with this body. Rejects, and stops the contender, on any other answer. `ask`: over a connection of its own. */
export async function startChecked(
  contender: Contender,
  body: string,
  ask: (port: number) => Promise<CheckedAnswer>,
): Promise<RunningServer> {
  const server = await startServer(contender)
  try {
    const seen = new Set<string>()
    const untilMs = performance.now() + ALL_WORKERS_MS
    while (seen.size < contender.workers) {
      if (performance.now() > untilMs) throw new Error(`${contender.name} has ${contender.workers} workers, and ${seen.size} answered`)
      for (const answer of await Promise.all(Array.from({ length: ASKED_TOGETHER }, () => ask(server.port)))) {
        if (answer.status !== 200 || answer.body !== body)
          throw new Error(`${contender.name} answers ${answer.status} ${JSON.stringify(answer.body)}`)
        seen.add(answer.worker)
      }
    }
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}
