// Drains a worker: moves every connection that another worker can serve, finishes the rest, and reports to the primary when none is left. The
// servers listen to the end, because close() would break idle connections while their clients may be sending.

import type { Server } from 'node:net'
import { closeListeningSocket, connectionCountOf, httpConnectionsOf, idleConnectionsOf, type Outbox } from '@switchyard/handoff'
import { isBetweenWorkers } from '../forward/forwarded.ts'
import type { Runtime } from '../runtime.ts'
import type { Http2Sessions } from '../server/http2-sessions.ts'
import type { InFlight } from '../server/requests/in-flight.ts'
import type { WebSocket, Websockets } from '../server/websockets.ts'
import { type ConnectionMover, isQuiet } from '../steering/connection-mover.ts'
import { type EngineSession, endSession, momentToEnd, sessionsWithoutWebSocket } from '../steering/sticky-ids.ts'
import { Staggered } from './staggered.ts'

const POLL_MS = 25
/** The primary may have just told another worker to forward a request to this one. */
const FORWARD_MS = 250
/** The least time that `onDrain` listeners have before websockets are ended, and clients of HTTP/2 to answer, however short the spread. */
const LEAST_MS = 1000
/**
 * The client of an engine.io session opens its next poll within this time. A session that was closed without an open poll stays this long, so that
 * the client's next request learns of the end.
 */
const SESSION_MS = 2000

type DrainListener = () => void | Promise<void>

const listeners: DrainListener[] = []

/**
 * Calls `listener` once when this worker begins to drain. Websockets are ended after its promise, or after the pool's `drainSpreadMs` if that is
 * earlier. The process exits after the promise. Errors of the listener are logged.
 */
export function onDrain(listener: DrainListener): void {
  listeners.push(listener)
}

/** The primary's order. `last`: no connection comes any more. `spreadMs`: the time over which websockets are closed. */
export interface DrainOrder {
  readonly last: boolean
  readonly spreadMs: number
}

export interface DrainOptions {
  readonly runtime: Runtime
  /** The app's servers that were given connections. */
  readonly servers: () => readonly Server[]
  readonly inFlight: InFlight
  readonly outbox: Outbox
  readonly mover: ConnectionMover
  readonly websockets: Websockets
  readonly http2Sessions: Http2Sessions
  /** Random numbers from 0 to 1. */
  readonly chance: () => number
}

/** The one drain in the life of a worker. */
export class Drain {
  private readonly options: DrainOptions
  /** Visitors that only this worker knows may be between two requests for this long; 0 without tickets. */
  private readonly returnMs: number
  private timer: NodeJS.Timeout | undefined
  private isLast = false
  private reported: 'nothing' | 'drained' | 'drained at last' = 'nothing'
  private listenersDone = false
  private closing: { readonly webSockets: Staggered<WebSocket>; readonly sessions: Staggered<EngineSession> } | undefined
  private readonly dueSessions = new WeakMap<EngineSession, number>()
  private readonly closedSessions = new WeakMap<EngineSession, number>()
  private received = 0
  private emptySinceMs: number | undefined

  constructor(options: DrainOptions) {
    this.options = options
    const { routes, pool, drainReturnMs } = options.runtime.start
    this.returnMs = routes.some((route) => route.pool === pool && route.ticket !== undefined) ? drainReturnMs : 0
  }

  /** The first order begins the drain; a later one may say that nothing more will come. */
  order({ last, spreadMs }: DrainOrder): void {
    this.isLast ||= last
    if (this.options.servers().length === 0 && listeners.length === 0) return this.report(this.isLast ? 'drained at last' : 'drained')
    if (this.timer === undefined) this.begin(spreadMs)
  }

  private begin(spreadMs: number): void {
    const { mover, outbox } = this.options
    const patienceMs = Math.max(spreadMs, LEAST_MS)
    mover.startDraining()
    this.poll(patienceMs)
    outbox.flushReturns()
    // setImmediate: after a blocked loop, the bytes that have arrived are read first. Otherwise busy clients would look silent.
    this.timer = setInterval(() => setImmediate(() => this.poll(patienceMs)), POLL_MS)
    const done = Promise.all(listeners.map((listener) => this.run(listener)))
    const bound = setTimeout(() => this.beginClosing(spreadMs), patienceMs).unref()
    void done.then(() => {
      clearTimeout(bound)
      this.listenersDone = true
      this.beginClosing(spreadMs)
    })
  }

  private async run(listener: DrainListener): Promise<void> {
    try {
      await listener()
    } catch (error) {
      this.options.runtime.send({ switchyard: 'notice', level: 'warn', message: `onDrain: ${(error as Error)?.stack ?? error}` })
    }
  }

  private beginClosing(spreadMs: number): void {
    const { chance } = this.options
    const now = performance.now()
    this.closing ??= { webSockets: new Staggered(now, spreadMs, chance), sessions: new Staggered(now, spreadMs, chance) }
  }

  /** `patienceMs`: how long a client of HTTP/2 may take to read that its connection ends. */
  private poll(patienceMs: number): void {
    if (this.reported === 'drained at last') return
    const now = performance.now()
    const { servers, mover, http2Sessions, inFlight, outbox } = this.options
    this.closeDue(now)
    for (const session of http2Sessions.open) http2Sessions.end(session, patienceMs)
    const betweenWorkers: (() => void)[] = []
    let remaining = outbox.unsent + this.openSessionCount(now)
    for (const server of servers()) {
      const connections = httpConnectionsOf(server)
      const idle = idleConnectionsOf(server)
      mover.moveAllOf(connections, idle, now)
      const quiet = connections.filter((socket) => isBetweenWorkers(socket) && isQuiet(socket, idle))
      // The other worker ends these connections, or needs them no longer.
      betweenWorkers.push(...quiet.map((socket) => () => void socket.destroy()))
      remaining += connectionCountOf(server) - quiet.length
    }
    if (remaining > 0 || inFlight.received !== this.received) this.emptySinceMs = undefined
    else this.emptySinceMs ??= now
    this.received = inFlight.received
    const emptyMs = this.emptySinceMs === undefined ? -1 : now - this.emptySinceMs
    if (!this.isLast) {
      if (emptyMs >= this.returnMs) this.report('drained')
    } else if (this.listenersDone && emptyMs >= (betweenWorkers.length > 0 ? FORWARD_MS : 0)) {
      // A request that arrives now stays unread; the other worker sees that, and forwards it elsewhere.
      for (const destroy of betweenWorkers) destroy()
      clearInterval(this.timer)
      for (const server of servers()) closeListeningSocket(server)
      this.report('drained at last')
    }
  }

  private closeDue(now: number): void {
    if (this.closing === undefined) return
    const { websockets } = this.options
    for (const one of this.closing.webSockets.due(websockets.open, now)) websockets.end(one)
    const sessions = sessionsWithoutWebSocket()
    for (const session of this.closing.sessions.due(sessions, now)) this.dueSessions.set(session, now)
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

  private openSessionCount(now: number): number {
    return sessionsWithoutWebSocket().filter((session) => now - (this.closedSessions.get(session) ?? now) < SESSION_MS).length
  }

  private report(what: 'drained' | 'drained at last'): void {
    if (this.reported === what) return
    this.reported = what
    this.options.runtime.send({ switchyard: 'drained', last: what === 'drained at last' })
  }
}
