// Rest: gives an idle kept-alive connection back to the primary after its response, so that its next request is picked afresh and does not wait
// for this worker's loop. The primary decides for the whole pool when that pays, from the reports on the loops. Where connections can't move, the
// response ends the connection instead, when the primary says that other connections have waited for too long.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { endOf, giveBackReasons, packRest, tagOf, type WorkerEnd } from '@switchyard/handoff'
import { isBetweenWorkers } from '../forward/forwarded.ts'
import type { RestMode } from '../protocol.ts'
import type { InFlight } from '../server/requests/in-flight.ts'
import type { BoundConnections } from './bound-connections.ts'
import type { ConnectionMover } from './connection-mover.ts'
import { headOf, lastRequestOn, packReason } from './steering.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

const POLL_MS = 100
const SMOOTHING = 0.3
/** With fewer requests between two polls the average says nothing. */
const ENOUGH_REQUESTS = 2

interface ServedSocket extends Socket {
  readonly server?: Server & { readonly keepAliveTimeout?: number }
}

export interface RestOptions {
  readonly mode: RestMode
  readonly table: WorkerRouteTable
  readonly bound: BoundConnections
  readonly mover: ConnectionMover
  readonly end: WorkerEnd
  readonly inFlight: InFlight
}

/** Rests the idle connections of one worker while that pays. */
export class Rest {
  private readonly mode: RestMode
  /** Polled ten times a second, because every request reads it. */
  private on: boolean
  private readonly end: WorkerEnd
  private readonly inFlight: InFlight
  private readonly table: WorkerRouteTable
  private readonly bound: BoundConnections
  private readonly mover: ConnectionMover
  private msPerRequest = 0
  private ended = 0
  private utilisation = performance.eventLoopUtilization()

  constructor({ mode, table, bound, mover, end, inFlight }: RestOptions) {
    // A connection that can't move is not ended after every response.
    this.mode = mode === 'always' && !end.outbox.movesConnections ? 'auto' : mode
    this.mover = mover
    this.table = table
    this.bound = bound
    this.end = end
    this.inFlight = inFlight
    this.on = this.mode === 'always'
    if (this.mode === 'auto') setInterval(() => this.poll(), POLL_MS).unref()
  }

  get isOn(): boolean {
    return this.on
  }

  /** A request begins: its connection rests after the response, unless its route's policy or its client binds it to this worker. */
  begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    const tag = tagOf(socket)
    if (tag === undefined) return
    if (!this.end.outbox.movesConnections) {
      if (!this.bound.has(socket) && !isBetweenWorkers(socket)) this.mover.endAfter(request, response)
      return
    }
    const { policy } = this.table.find(headOf(request))
    const end = policy.policy === undefined ? endOf(request) : undefined
    if (end !== undefined) response.once('close', () => this.giveBack(request, end, tag, policy.index))
  }

  /** Gives the connection back if the response is sent, the request is read, and nothing has come behind it. */
  private giveBack(request: IncomingMessage, end: number, tag: number, route: number): void {
    const { socket } = request
    if (!this.on || socket.destroyed || !socket.writable || socket.writableLength > 0) return
    if (lastRequestOn(socket) !== request || !request.complete || socket.bytesRead !== end) return
    if (this.bound.has(socket) || (this.mode === 'auto' && this.end.keepsConnections())) return
    const timeoutMs = (socket as ServedSocket).server?.keepAliveTimeout ?? 0
    this.end.outbox.giveBack(socket, tag, packReason(route, giveBackReasons.indexOf('rest')), packRest(timeoutMs), undefined)
  }

  private poll(): void {
    this.on = !this.end.keepsConnections()
    const now = performance.eventLoopUtilization()
    const { active } = performance.eventLoopUtilization(now, this.utilisation)
    const requests = this.inFlight.ended - this.ended
    if (requests < ENOUGH_REQUESTS && active < POLL_MS) return
    const isFirst = this.ended === 0
    this.utilisation = now
    this.ended = this.inFlight.ended
    // The first interval contains the start of the app and cold code.
    if (isFirst) return
    this.msPerRequest += (active / Math.max(1, requests) - this.msPerRequest) * SMOOTHING
    this.inFlight.recordLoopTime(this.msPerRequest)
  }
}
