// Moves HTTP connections from this worker to the primary between two requests; the client does not notice. A connection that can't move gets
// `Connection: close` with its next response. While the worker drains, such a connection also ends when it is silent for a second.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import {
  canListIdleConnections,
  carrierOf,
  giveBackReasons,
  hasMoreBehind,
  idleConnectionsOf,
  type Outbox,
  packRest,
  responseOn,
  tagOf,
} from '@switchyard/handoff'
import { isBetweenWorkers } from '../forward/forwarded.ts'
import { destroyWhenQuiet, lingerAtEnd } from '../server/lingering-close.ts'
import type { BoundConnections } from './bound-connections.ts'
import { headOf, lastRequestOn, packReason } from './steering.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

/** A connection with no traffic for this long can be ended: its client is hardly about to send. */
const SILENT_MS = 1000
const REST = giveBackReasons.indexOf('rest')

/** The connections of a server that are between two requests; undefined if Node does not tell. */
export type Idle = ReadonlySet<Socket> | undefined

interface TimedServer extends Server {
  readonly keepAliveTimeout?: number
  readonly headersTimeout?: number
}

export class ConnectionMover {
  private readonly table: WorkerRouteTable
  private readonly outbox: Outbox
  private readonly bound: BoundConnections
  private movesAll = false
  private endsSome = false
  /** Connections that can't move and end with a response. */
  private readonly closing = new WeakSet<Socket>()
  /** For each connection, the response with `Connection: close`. */
  private readonly lastResponses = new WeakMap<Socket, ServerResponse>()
  private readonly awaited = new WeakSet<ServerResponse>()
  private readonly silentSince = new WeakMap<Socket, number>()
  private readonly ended = new WeakSet<Socket>()
  /** Connections whose response has closed in this loop turn, by server. */
  private readonly answered = new Map<Server, Set<Socket>>()

  constructor(table: WorkerRouteTable, outbox: Outbox, bound: BoundConnections) {
    this.table = table
    this.bound = bound
    this.outbox = outbox
  }

  /** Does every connection move? */
  get isDraining(): boolean {
    return this.movesAll
  }

  /** Must each request be passed to `begin`? */
  get isOn(): boolean {
    return this.movesAll || this.endsSome
  }

  /** From now on every connection moves: open ones with the next `moveAllOf`. */
  startDraining(): void {
    this.movesAll = true
  }

  /** A request begins, and the app has not seen it yet. True: its connection moves or ends after the response. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request
    if (!this.movesAll && !this.closing.has(socket)) return false
    if (isBetweenWorkers(socket) || carrierOf(socket) !== undefined) return false
    if (this.canMove(socket)) this.moveAfter(response, socket)
    else this.endAfter(request, response)
    return true
  }

  /** Ends a connection with the response to this request, unless another request has come behind it. */
  endAfter(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    this.endsSome = true
    this.keepForAnother(socket)
    if (!hasMoreBehind(request)) this.endWith(response, socket)
  }

  /** Has the client been told that the connection ends? Requests behind that are not begun; the client may repeat them elsewhere. */
  hasEnded(socket: Socket): boolean {
    return this.ended.has(socket) || this.lastResponses.get(socket)?.headersSent === true
  }

  /** Moves a connection: now if it is in `idle`, else after its response; one that can't move ends with a response. With half a request read, call again. */
  move(socket: Socket, idle: Idle): void {
    // Streams end with their session.
    if (socket.destroyed || isBetweenWorkers(socket) || carrierOf(socket) !== undefined) return
    const response = responseOn(socket)
    if (this.canMove(socket)) {
      if (response !== undefined) this.moveAfter(response, socket)
      else if (isQuiet(socket, idle)) this.giveBack(socket)
      return
    }
    this.endsSome = true
    this.closing.add(socket)
    // A request behind this one may have been read already, and would be lost.
    if (response !== undefined && lastRequestOn(socket) === response.req) this.endWith(response, socket)
  }

  /** Moves all of these connections. Those that can't move end when they have been silent for a second. */
  moveAllOf(sockets: readonly Socket[], idle: Idle, nowMs: number): void {
    for (const socket of sockets) {
      this.move(socket, idle)
      if (socket.destroyed || isBetweenWorkers(socket) || carrierOf(socket) !== undefined) continue
      if (!this.canMove(socket)) this.endWhenSilent(socket, idle, nowMs)
    }
  }

  private canMove(socket: Socket): boolean {
    const server = serverOf(socket)
    if (!this.outbox.movesConnections || tagOf(socket) === undefined || server === undefined) return false
    return canListIdleConnections(server) && !this.bound.has(socket)
  }

  private moveAfter(response: ServerResponse, socket: Socket): void {
    if (this.awaited.has(response)) return
    this.awaited.add(response)
    response.once('close', () => this.pollSoon(socket))
  }

  /** Moves the connection at the end of this loop turn: one pass over a server's connections serves all responses of the turn. */
  private pollSoon(socket: Socket): void {
    const server = serverOf(socket)
    if (socket.destroyed || server === undefined) return
    if (this.answered.size === 0) setImmediate(this.moveAnswered)
    const sockets = this.answered.get(server) ?? new Set()
    this.answered.set(server, sockets.add(socket))
  }

  private readonly moveAnswered = (): void => {
    for (const [server, sockets] of this.answered) {
      const idle = idleConnectionsOf(server)
      for (const socket of sockets) this.move(socket, idle)
    }
    this.answered.clear()
  }

  private endWith(response: ServerResponse, socket: Socket): void {
    if (response.headersSent || !response.shouldKeepAlive) return
    response.shouldKeepAlive = false
    if (!this.lastResponses.has(socket)) lingerAtEnd(socket, () => this.lastResponses.get(socket)?.req)
    this.lastResponses.set(socket, response)
  }

  /** Another request has come, so the response before it must not end the connection. */
  private keepForAnother(socket: Socket): void {
    const response = this.lastResponses.get(socket)
    if (response !== undefined && !response.headersSent) response.shouldKeepAlive = true
  }

  /** Without a free descriptor the connection stays, and a later call tries again. */
  private giveBack(socket: Socket): void {
    const last = lastRequestOn(socket)
    const { keepAliveTimeout = 0, headersTimeout = 0 } = serverOf(socket) as TimedServer
    const timeoutMs = last === undefined ? headersTimeout : keepAliveTimeout
    this.outbox.giveBack(socket, tagOf(socket) as number, packReason(this.routeOf(last), REST), packRest(timeoutMs), undefined)
  }

  /** The number of the route of a connection's last request. */
  private routeOf(request: IncomingMessage | undefined): number {
    // The app may have changed the request.
    const isWhole = typeof request?.url === 'string' && typeof request.headers === 'object'
    return (isWhole ? this.table.find(headOf(request)) : this.table.fallback).policy.index
  }

  private endWhenSilent(socket: Socket, idle: Idle, nowMs: number): void {
    if (this.ended.has(socket)) return
    if (!isQuiet(socket, idle)) return void this.silentSince.delete(socket)
    const since = this.silentSince.get(socket)
    if (since === undefined) this.silentSince.set(socket, nowMs)
    else if (nowMs - since >= SILENT_MS) this.end(socket)
  }

  private end(socket: Socket): void {
    this.ended.add(socket)
    socket.end()
    destroyWhenQuiet(socket, () => false)
  }
}

/** Is no request under way? The connection is between two requests, or nothing has been read from it. */
export function isQuiet(socket: Socket, idle: Idle): boolean {
  if (idle?.has(socket) === true) return true
  return lastRequestOn(socket) === undefined && socket.bytesRead === 0 && socket.writable
}

function serverOf(socket: Socket): Server | undefined {
  return (socket as Socket & { readonly server?: Server | null }).server ?? undefined
}
