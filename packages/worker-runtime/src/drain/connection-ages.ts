// Lets go of connections that have grown old, so that clients who never leave spread over new workers too. Connections are looked at once in a while, and
// one is as old as the time since it was first seen: nothing is noted when it comes.

import type { Server } from 'node:net'
import { httpConnectionsOf, idleConnectionsOf } from '@switchyard/handoff'
import type { Http2Sessions } from '../server/http2-sessions.ts'
import type { Websockets } from '../server/websockets.ts'
import type { ConnectionMover } from '../steering/connection-mover.ts'

const POLL_MS = 1000
/** Short ages are for tests and demonstrations. */
const LOOKS_AN_AGE = 10
/** Connections that came together do not leave together. */
const JITTER = 0.1

export interface AgeParts {
  readonly maxAgeMs: number
  readonly servers: () => readonly Server[]
  readonly departures: ConnectionMover
  readonly upgraded: Websockets
  readonly sessions: Http2Sessions
  /** 0 to 1. */
  readonly chance: () => number
}

export class ConnectionAges {
  private readonly parts: AgeParts
  private readonly untilMs = new WeakMap<object, number>()

  constructor(parts: AgeParts) {
    this.parts = parts
  }

  /** Keeps no process alive. */
  start(): void {
    setInterval(() => this.poll(performance.now()), Math.min(POLL_MS, this.parts.maxAgeMs / LOOKS_AN_AGE)).unref()
  }

  /** Lets those go that are too old at `nowMs`. While the worker drains, that is no question of age. */
  poll(nowMs: number): void {
    const { servers, departures, upgraded, sessions } = this.parts
    if (departures.isDraining) return
    for (const server of servers()) {
      const old = httpConnectionsOf(server).filter((socket) => this.isOver(socket, nowMs))
      const idle = old.length > 0 ? idleConnectionsOf(server) : undefined
      for (const socket of old) departures.go(socket, idle)
    }
    for (const one of upgraded.open) if (this.isOver(one.socket, nowMs)) upgraded.end(one)
    for (const session of sessions.open) if (this.isOver(session, nowMs)) sessions.end(session)
  }

  private isOver(one: object, nowMs: number): boolean {
    const untilMs = this.untilMs.get(one)
    if (untilMs === undefined) this.untilMs.set(one, nowMs + this.parts.maxAgeMs * (1 - JITTER + 2 * JITTER * this.parts.chance()))
    return untilMs !== undefined && nowMs >= untilMs
  }
}
