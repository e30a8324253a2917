// Moves or ends connections that have grown old, so that clients with long-lived connections spread over new workers too. Connections are polled;
// the age of a connection counts from the poll that first finds it, so nothing is recorded when it arrives.

import type { Server } from 'node:net'
import { httpConnectionsOf, idleConnectionsOf } from '@switchyard/handoff'
import type { Http2Sessions } from '../server/http2-sessions.ts'
import type { Websockets } from '../server/websockets.ts'
import type { ConnectionMover } from '../steering/connection-mover.ts'

const POLL_MS = 1000
/** Tests and demonstrations use ages of less than ten seconds, which need shorter intervals. */
const POLLS_PER_AGE = 10
/** Spreads connections that arrived together. */
const JITTER = 0.1

export interface ConnectionAgesOptions {
  readonly maxAgeMs: number
  readonly servers: () => readonly Server[]
  readonly mover: ConnectionMover
  readonly websockets: Websockets
  readonly http2Sessions: Http2Sessions
  /** Random numbers from 0 to 1. */
  readonly chance: () => number
}

export class ConnectionAges {
  private readonly options: ConnectionAgesOptions
  private readonly untilMs = new WeakMap<object, number>()

  constructor(options: ConnectionAgesOptions) {
    this.options = options
  }

  /** Starts to poll. The timer keeps no process alive. */
  start(): void {
    setInterval(() => this.poll(performance.now()), Math.min(POLL_MS, this.options.maxAgeMs / POLLS_PER_AGE)).unref()
  }

  /** Moves or ends the connections that are too old at `nowMs`. While the worker drains, `Drain` handles all of them. */
  poll(nowMs: number): void {
    const { servers, mover, websockets, http2Sessions } = this.options
    if (mover.isDraining) return
    for (const server of servers()) {
      const old = httpConnectionsOf(server).filter((socket) => this.isDue(socket, nowMs))
      const idle = old.length > 0 ? idleConnectionsOf(server) : undefined
      for (const socket of old) mover.move(socket, idle)
    }
    for (const one of websockets.open) if (this.isDue(one.socket, nowMs)) websockets.end(one)
    for (const session of http2Sessions.open) if (this.isDue(session, nowMs)) http2Sessions.end(session)
  }

  private isDue(connection: object, nowMs: number): boolean {
    const untilMs = this.untilMs.get(connection)
    if (untilMs === undefined)
      this.untilMs.set(connection, nowMs + this.options.maxAgeMs * (1 - JITTER + 2 * JITTER * this.options.chance()))
    return untilMs !== undefined && nowMs >= untilMs
  }
}
