// Drain in the worker, from the point of view of whoever leaves: let go of everything that another worker can have, finish the rest, and say when
// nothing is left. The server listens to the end: its close() would break idle connections, and with them what their clients are just sending.

import type { Server } from 'node:net'
import { closeListeningSocket, connectionCountOf, httpConnectionsOf, idleConnectionsOf, type Outbox } from '@switchyard/handoff'
import { isBetweenWorkers } from '../forward/forwarded.ts'
import type { Runtime } from '../runtime.ts'
import type { Http2Sessions } from '../server/http2-sessions.ts'
import type { InFlight } from '../server/in-flight.ts'
import type { WebSocket, Websockets } from '../server/websockets.ts'
import { type ConnectionMover, isQuiet } from '../steering/connection-mover.ts'
import { type EngineSession, endSession, momentToEnd, sessionsWithoutWebSocket } from '../steering/sticky-ids.ts'
import { Staggered } from './staggered.ts'

const POLL_MS = 25
/** Another worker may have been told just now to forward a request to this one. */
const FORWARD_MS = 250
/** An app's listener has at least so long before websockets are ended, however short the spread. */
const LEAST_FOR_LISTENERS_MS = 1000
/** The client of a session comes within this time to wait for news; when it was closed nevertheless it comes to hear it with its next request. */
const SESSION_MS = 2000

type DrainListener = () => void | Promise<void>

const listeners: DrainListener[] = []

/**
 * Calls `listener` once when this worker begins to drain. Websockets are ended after its promise, or after the pool's `drainSpreadMs` if that is earlier;
 * the process ends after it. What it throws is said in the log.
 */
export function onDrain(listener: DrainListener): void {
  listeners.push(listener)
}

/** What the primary asks for. */
export interface DrainOrder {
  readonly last: boolean
  readonly spreadMs: number
}

export interface DrainParts {
  readonly runtime: Runtime
  /** Those of the app that were given connections. */
  readonly servers: () => readonly Server[]
  readonly inFlight: InFlight
  readonly outbox: Outbox
  readonly departures: ConnectionMover
  readonly upgraded: Websockets
  readonly sessions: Http2Sessions
  /** 0 to 1. */
  readonly chance: () => number
}

/** Of one worker; there is one drain in its life. */
export class Drain {
  private readonly parts: DrainParts
  /** Visitors whom only this worker knows may be between two requests; 0: there are none. */
  private readonly returnMs: number
  private looks: NodeJS.Timeout | undefined
  private isLast = false
  private said: 'nothing' | 'drained' | 'drained at last' = 'nothing'
  private listenersDone = false
  private goodbyes: { readonly webSockets: Staggered<WebSocket>; readonly sessions: Staggered<EngineSession> } | undefined
  private readonly dueSessions = new WeakMap<EngineSession, number>()
  private readonly closedSessions = new WeakMap<EngineSession, number>()
  private received = 0
  private emptySinceMs: number | undefined

  constructor(parts: DrainParts) {
    this.parts = parts
    const { routes, pool, drainReturnMs } = parts.runtime.start
    this.returnMs = routes.some((route) => route.pool === pool && route.ticket !== undefined) ? drainReturnMs : 0
  }

  /** Begins to drain, or hears that nothing more will come. */
  order({ last, spreadMs }: DrainOrder): void {
    this.isLast ||= last
    if (this.parts.servers().length === 0) return this.say(this.isLast ? 'drained at last' : 'drained')
    if (this.looks === undefined) this.begin(spreadMs)
  }

  private begin(spreadMs: number): void {
    const { departures, outbox } = this.parts
    departures.moveAll()
    this.poll()
    outbox.flushReturns()
    // After what has come in this turn of the loop has been read: to whoever was blocked for long its clients look silent.
    this.looks = setInterval(() => setImmediate(() => this.poll()), POLL_MS)
    const done = Promise.all(listeners.map((listener) => this.run(listener)))
    const bound = setTimeout(() => this.beginGoodbyes(spreadMs), Math.max(spreadMs, LEAST_FOR_LISTENERS_MS)).unref()
    void done.then(() => {
      clearTimeout(bound)
      this.listenersDone = true
      this.beginGoodbyes(spreadMs)
    })
  }

  private async run(listener: DrainListener): Promise<void> {
    try {
      await listener()
    } catch (error) {
      this.parts.runtime.send({ switchyard: 'notice', level: 'warn', message: `onDrain: ${(error as Error)?.stack ?? error}` })
    }
  }

  private beginGoodbyes(spreadMs: number): void {
    const { chance } = this.parts
    const now = performance.now()
    this.goodbyes ??= { webSockets: new Staggered(now, spreadMs, chance), sessions: new Staggered(now, spreadMs, chance) }
  }

  private poll(): void {
    if (this.said === 'drained at last') return
    const now = performance.now()
    const { servers, departures, sessions, inFlight, outbox } = this.parts
    this.sayGoodbyes(now)
    for (const session of sessions.open) sessions.end(session)
    const betweenWorkers: (() => void)[] = []
    let left = outbox.unsent + this.sessionsLeft(now)
    for (const server of servers()) {
      const connections = httpConnectionsOf(server)
      const idle = idleConnectionsOf(server)
      departures.sweep(connections, idle, now)
      const needless = connections.filter((socket) => isBetweenWorkers(socket) && isQuiet(socket, idle))
      // Of the two workers the other one ends them, or nobody needs them any more.
      betweenWorkers.push(...needless.map((socket) => () => void socket.destroy()))
      left += connectionCountOf(server) - needless.length
    }
    if (left > 0 || inFlight.received !== this.received) this.emptySinceMs = undefined
    else this.emptySinceMs ??= now
    this.received = inFlight.received
    const emptyMs = this.emptySinceMs === undefined ? -1 : now - this.emptySinceMs
    if (!this.isLast) {
      if (emptyMs >= this.returnMs) this.say('drained')
    } else if (this.listenersDone && emptyMs >= (betweenWorkers.length > 0 ? FORWARD_MS : 0)) {
      // What came in the last moment is unread, so the other worker sees that, and sends it elsewhere.
      for (const destroy of betweenWorkers) destroy()
      clearInterval(this.looks)
      for (const server of servers()) closeListeningSocket(server)
      this.say('drained at last')
    }
  }

  private sayGoodbyes(now: number): void {
    if (this.goodbyes === undefined) return
    const { upgraded } = this.parts
    for (const one of this.goodbyes.webSockets.due(upgraded.open, now)) upgraded.end(one)
    const sessions = sessionsWithoutWebSocket()
    for (const session of this.goodbyes.sessions.due(sessions, now)) this.dueSessions.set(session, now)
    for (const session of sessions) this.endIfDue(session, now)
  }

  private endIfDue(session: EngineSession, now: number): void {
    const dueMs = this.dueSessions.get(session)
    if (dueMs === undefined || this.closedSessions.has(session)) return
    const moment = momentToEnd(session)
    if (moment === 'not now' || (moment === 'if need be' && now - dueMs < SESSION_MS)) return
    this.closedSessions.set(session, now)
    endSession(session)
  }

  private sessionsLeft(now: number): number {
    return sessionsWithoutWebSocket().filter((session) => now - (this.closedSessions.get(session) ?? now) < SESSION_MS).length
  }

  private say(what: 'drained' | 'drained at last'): void {
    if (this.said === what) return
    this.said = what
    this.parts.runtime.send({ switchyard: 'drained', last: what === 'drained at last' })
  }
}
