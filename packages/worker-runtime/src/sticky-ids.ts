// socket.io and engine.io: a ticket inside each session id, so that polling and websocket clients, browsers or not, with or without cookies,
// reach the worker that knows them.

import { randomBytes } from 'node:crypto'
import { issueSessionId } from '@switchyard/routing'
import { currentRuntime } from './runtime.ts'

const RANDOM_BYTES = 15
const LIFETIME_MS = 30 * 86_400_000

/** What this needs of an engine.io server. */
export interface SessionIdSource {
  // biome-ignore lint/suspicious/noExplicitAny: engine.io's own type
  generateId(...args: any[]): any
}

/** A session of engine.io, as far as it is needed to end it. */
export interface EngineSession {
  readonly transport?: { readonly name?: string }
  /** Tells the client, which then connects again. Of a client that is not there at the moment it waits for the next request. */
  close(): unknown
}

/** What engine.io does not show in its types. */
interface Engine {
  readonly clients?: Readonly<Record<string, EngineSession>>
}

const engines = new Set<Engine>()

/**
 * Makes the session ids of an engine.io server sticky: `stickyIds(io.engine)`. The route needs `sticky({ by: ticket() })`.
 * When this worker drains, the sessions end, and their clients connect again. Outside a pool it changes nothing. A session id is good for 30 days.
 */
export function stickyIds(engine: SessionIdSource): void {
  const runtime = currentRuntime()
  if (runtime === undefined) return
  engines.add(engine as Engine)
  const { start, seal } = runtime
  engine.generateId = () => {
    const seat = { slot: start.slot, generation: start.generation, pool: start.pool, expiresAtMs: Date.now() + LIFETIME_MS }
    return issueSessionId(seal, seat, randomBytes(RANDOM_BYTES).toString('base64url'))
  }
}

/** The sessions that are not a websocket: they have no connection that could end, and are in this process only. */
export function sessionsWithoutWebSocket(): EngineSession[] {
  const sessions = [...engines].flatMap(({ clients = {} }) => Object.values(clients))
  return sessions.filter(({ transport }) => transport?.name !== 'websocket')
}
