// socket.io and engine.io: a ticket inside each session id, so that polling and websocket clients, browsers or not, with or without cookies,
// reach the worker that knows them.

import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { issueSessionId } from '@switchyard/routing'
import { currentRuntime } from '../runtime.ts'

const RANDOM_BYTES = 15
const LIFETIME_MS = 30 * 86_400_000

/** What this needs of an engine.io server. */
export interface SessionIdSource {
  // biome-ignore lint/suspicious/noExplicitAny: engine.io's own type
  generateId(...args: any[]): any
}

/** A session of engine.io, as far as it is needed to end it. */
export interface EngineSession {
  readonly id?: string
  /** `writable`: its client waits for news at this moment. `dataReq`: it is just sending some. */
  readonly transport?: { readonly name?: string; readonly writable?: boolean; readonly dataReq?: unknown }
  /** Tells the client, which then connects again. Of a client that is not there at the moment it waits for the next request. */
  close(): unknown
}

type Verified = (code?: number, context?: { readonly sid?: unknown }) => void

/** What engine.io does not show in its types. */
interface Engine {
  readonly clients?: Readonly<Record<string, EngineSession>>
  /** Is this a request of a session that there is? */
  verify?(request: IncomingMessage & { readonly res?: ServerResponse }, isUpgrade: boolean, done: Verified): void
}

/** `Server.errors` of engine.io. */
const UNKNOWN_SESSION = 1
/** Of the engine.io protocol: what it says of a session that ends, and to whoever sends. */
const CLOSED = '1'
const TAKEN = 'ok'

const engines = new Set<Engine>()
/** Sessions that have ended because this worker leaves. */
const ended = new Set<unknown>()

/**
 * Makes the session ids of an engine.io server sticky: `stickyIds(io.engine)`. The route needs `sticky({ by: ticket() })`.
 * When this worker drains, the sessions end, and their clients connect again. Outside a pool it changes nothing. A session id is good for 30 days.
 */
export function stickyIds(engine: SessionIdSource): void {
  const runtime = currentRuntime()
  if (runtime === undefined) return
  if (!engines.has(engine as Engine)) answerForEnded(engine as Engine)
  engines.add(engine as Engine)
  const { start, seal } = runtime
  engine.generateId = () => {
    const seat = { slot: start.slot, generation: start.generation, pool: start.pool, expiresAtMs: Date.now() + LIFETIME_MS }
    return issueSessionId(seal, seat, randomBytes(RANDOM_BYTES).toString('base64url'))
  }
}

/** Has the app made the session ids of any engine.io server sticky? */
export function hasStickyIds(): boolean {
  return engines.size > 0
}

/** The sessions that are not a websocket: they have no connection that could end, and are in this process only. */
export function sessionsWithoutWebSocket(): EngineSession[] {
  const sessions = [...engines].flatMap(({ clients = {} }) => Object.values(clients))
  return sessions.filter(({ transport }) => transport?.name !== 'websocket')
}

/**
 * May a session end at this moment? engine.io would break off a request in which its client is just sending something. Best is when the client waits
 * for news: then it hears at once that the session has ended, and says nothing meanwhile that nobody hears.
 */
export function momentToEnd({ transport }: EngineSession): 'now' | 'if need be' | 'not now' {
  if (transport?.dataReq !== undefined && transport.dataReq !== null) return 'not now'
  return transport?.writable === true ? 'now' : 'if need be'
}

/** Tells its client, which then connects again. */
export function endSession(session: EngineSession): void {
  ended.add(session.id)
  session.close()
}

/** What a client had sent when it heard of the end is not told to be wrong: engine.io would say that there is no such session, with a status that is an error. */
function answerForEnded(engine: Engine): void {
  const { verify } = engine
  if (typeof verify !== 'function') return
  engine.verify = function (request, isUpgrade, done) {
    return verify.call(this, request, isUpgrade, (code, context) => {
      const { res: response } = request
      if (isUpgrade || code !== UNKNOWN_SESSION || response === undefined || !ended.has(context?.sid)) return done(code, context)
      const text = request.method === 'GET' ? CLOSED : TAKEN
      const fields = { 'Content-Type': 'text/plain; charset=UTF-8', 'Content-Length': text.length, 'Cache-Control': 'no-store' }
      response.writeHead(200, fields).end(text)
    })
  }
}
