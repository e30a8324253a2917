// Puts a ticket into each session id of socket.io and engine.io, so that polling and websocket clients reach the worker that has their session,
// with or without cookies. On drain, ends these sessions.

import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { issueSessionId } from '@switchyard/routing'
import { currentRuntime } from '../runtime.ts'

const RANDOM_BYTES = 15
const LIFETIME_MS = 30 * 86_400_000

/** The part of an engine.io server that `stickyIds` needs. */
export interface SessionIdSource {
  // biome-ignore lint/suspicious/noExplicitAny: engine.io's own type
  generateId(...args: any[]): any
}

/** The part of an engine.io session that is needed to end it. */
export interface EngineSession {
  readonly id?: string
  /** `writable`: the client has a poll open. `dataReq`: the client is sending a request. */
  readonly transport?: { readonly name?: string; readonly writable?: boolean; readonly dataReq?: unknown }
  /** Tells the client, which then connects again; without an open poll, at the client's next request. */
  close(): unknown
}

type Verified = (code?: number, context?: { readonly sid?: unknown }) => void

/** Parts of engine.io that its types leave out. */
interface Engine {
  readonly clients?: Readonly<Record<string, EngineSession>>
  /** engine.io's check that the request's session exists. */
  verify?(request: IncomingMessage & { readonly res?: ServerResponse }, isUpgrade: boolean, done: Verified): void
}

/** `Server.errors` of engine.io. */
const UNKNOWN_SESSION = 1
/** Engine.IO protocol: the packet that closes a session, and the answer to a POST. */
const CLOSED = '1'
const ACCEPTED = 'ok'

const engines = new Set<Engine>()
/** Ids of sessions that this worker has ended because it drains. */
const ended = new Set<unknown>()

/**
 * Makes the session ids of an engine.io server sticky: `stickyIds(io.engine)`. The route needs `sticky({ by: ticket() })`.
 * When this worker drains, the sessions end, and their clients connect again. A ticket is valid for 30 days. Outside a pool the call does nothing.
 */
export function stickyIds(engine: SessionIdSource): void {
  const runtime = currentRuntime()
  if (runtime === undefined) return
  if (!engines.has(engine as Engine)) answerForEnded(engine as Engine)
  engines.add(engine as Engine)
  const { start, seal } = runtime
  engine.generateId = () => {
    const contents = { slot: start.slot, generation: start.generation, pool: start.pool, expiresAtMs: Date.now() + LIFETIME_MS }
    return issueSessionId(seal, contents, randomBytes(RANDOM_BYTES).toString('base64url'))
  }
}

/** Has the app called `stickyIds`? */
export function hasStickyIds(): boolean {
  return engines.size > 0
}

/** The sessions by polling: they have no connection that could end, and live in this process only. */
export function sessionsWithoutWebSocket(): EngineSession[] {
  const sessions = [...engines].flatMap(({ clients = {} }) => Object.values(clients))
  return sessions.filter(({ transport }) => transport?.name !== 'websocket')
}

/**
 * May a session end at this moment? Not while its client sends: engine.io would break off that request. Best is an open poll: the client learns of
 * the end at once, and sends nothing meanwhile that would be lost.
 */
export function momentToEnd({ transport }: EngineSession): 'now' | 'if need be' | 'not now' {
  if (transport?.dataReq !== undefined && transport.dataReq !== null) return 'not now'
  return transport?.writable === true ? 'now' : 'if need be'
}

/** Ends a session; its client connects again. */
export function endSession(session: EngineSession): void {
  ended.add(session.id)
  session.close()
}

/** Answers requests that a client sent before it learned of the end with 200. engine.io would answer them with an error. */
function answerForEnded(engine: Engine): void {
  const { verify } = engine
  if (typeof verify !== 'function') return
  engine.verify = function (request, isUpgrade, done) {
    return verify.call(this, request, isUpgrade, (code, context) => {
      const { res: response } = request
      if (isUpgrade || code !== UNKNOWN_SESSION || response === undefined || !ended.has(context?.sid)) return done(code, context)
      const text = request.method === 'GET' ? CLOSED : ACCEPTED
      const fields = { 'Content-Type': 'text/plain; charset=UTF-8', 'Content-Length': text.length, 'Cache-Control': 'no-store' }
      response.writeHead(200, fields).end(text)
    })
  }
}
