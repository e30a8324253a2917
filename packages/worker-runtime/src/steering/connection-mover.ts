// Lets go of HTTP connections: each moves to the primary between two requests, where its next request is picked afresh, and its client notices
// nothing. One that can't move is told `Connection: close` with its next response; while the worker drains, and nothing comes on it any more, it ends.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import {
  canListIdleConnections,
  giveBackReasons,
  hasMoreBehind,
  idleConnectionsOf,
  type Outbox,
  packRest,
  responseOn,
  tagOf,
} from '@switchyard/handoff'
import { isBetweenWorkers } from '../forward/forwarded.ts'
import type { BoundConnections } from './bound-connections.ts'
import { headOf, lastRequestOn, packReason } from './steering.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

/** A client that has sent nothing for so long is not about to. */
const SILENT_MS = 1000
/** What its client has sent before it saw the end is read and forgotten: else its system would throw away the end as well. */
const LINGER_MS = 2000
const REST = giveBackReasons.indexOf('rest')

/** Those connections of a server that are between two requests; undefined: it can't be told. */
export type Idle = ReadonlySet<Socket> | undefined

interface TimedServer extends Server {
  readonly keepAliveTimeout?: number
  readonly headersTimeout?: number
}

/** Those of one worker. */
export class ConnectionMover {
  private readonly table: WorkerRouteTable
  private readonly outbox: Outbox
  private readonly bound: BoundConnections
  private all = false
  private some = false
  /** Those of `some` that can't move. */
  private readonly closing = new WeakSet<Socket>()
  /** The response that says `Connection: close`. */
  private readonly lastResponses = new WeakMap<Socket, ServerResponse>()
  private readonly awaited = new WeakSet<ServerResponse>()
  private readonly silentSince = new WeakMap<Socket, number>()
  private readonly ended = new WeakSet<Socket>()
  /** Of which a response has closed in this turn of the loop, by server. */
  private readonly answered = new Map<Server, Set<Socket>>()

  constructor(table: WorkerRouteTable, outbox: Outbox, bound: BoundConnections) {
    this.table = table
    this.bound = bound
    this.outbox = outbox
  }

  /** Does every connection go? */
  get isDraining(): boolean {
    return this.all
  }

  /** Is there a connection that is to go, so that each request must be shown to `begin`? */
  get isOn(): boolean {
    return this.all || this.some
  }

  /** From now on every connection goes: those there are with the next `sweep`. */
  moveAll(): void {
    this.all = true
  }

  /** A request begins, and the app has not seen it yet. True: its connection goes after the response. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request
    if (!this.all && !this.closing.has(socket)) return false
    if (isBetweenWorkers(socket)) return false
    if (this.canMove(socket)) this.goAfter(response, socket)
    else this.endAfter(request, response)
    return true
  }

  /** Ends the connection of a request with its response, unless another request has come behind it. */
  endAfter(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    this.some = true
    this.keepForAnother(socket)
    if (!hasMoreBehind(request)) this.endWith(response, socket)
  }

  /** Has a connection said that it ends? What its client has sent nevertheless is not begun: it may send it again elsewhere. */
  hasEnded(socket: Socket): boolean {
    return this.ended.has(socket) || this.lastResponses.get(socket)?.headersSent === true
  }

  /** Lets one go: now if it is among the `idle`, else after what is under way. To be called again for one on which half a request has come. */
  go(socket: Socket, idle: Idle): void {
    if (socket.destroyed || isBetweenWorkers(socket)) return
    const response = responseOn(socket)
    if (this.canMove(socket)) {
      if (response !== undefined) this.goAfter(response, socket)
      else if (isQuiet(socket, idle)) this.leave(socket)
      return
    }
    this.some = true
    this.closing.add(socket)
    // What comes behind it may be here already, and would be lost.
    if (response !== undefined && lastRequestOn(socket) === response.req) this.endWith(response, socket)
  }

  /** Lets all of these go that can. Those that can't move end when nothing has come on them for a while. */
  sweep(sockets: readonly Socket[], idle: Idle, nowMs: number): void {
    for (const socket of sockets) {
      this.go(socket, idle)
      if (!socket.destroyed && !this.canMove(socket) && !isBetweenWorkers(socket)) this.endWhenSilent(socket, idle, nowMs)
    }
  }

  private canMove(socket: Socket): boolean {
    const server = serverOf(socket)
    if (!this.outbox.movesConnections || tagOf(socket) === undefined || server === undefined) return false
    return canListIdleConnections(server) && !this.bound.has(socket)
  }

  private goAfter(response: ServerResponse, socket: Socket): void {
    if (this.awaited.has(response)) return
    this.awaited.add(response)
    response.once('close', () => this.lookSoon(socket))
  }

  /** At the end of this turn: one look at a server's connections is enough for all that were answered in it. */
  private lookSoon(socket: Socket): void {
    const server = serverOf(socket)
    if (socket.destroyed || server === undefined) return
    if (this.answered.size === 0) setImmediate(this.lookAtAnswered)
    const sockets = this.answered.get(server) ?? new Set()
    this.answered.set(server, sockets.add(socket))
  }

  private readonly lookAtAnswered = (): void => {
    for (const [server, sockets] of this.answered) {
      const idle = idleConnectionsOf(server)
      for (const socket of sockets) this.go(socket, idle)
    }
    this.answered.clear()
  }

  private endWith(response: ServerResponse, socket: Socket): void {
    if (response.headersSent || !response.shouldKeepAlive) return
    response.shouldKeepAlive = false
    this.lastResponses.set(socket, response)
  }

  /** One more request has come behind the one that was to be the last. */
  private keepForAnother(socket: Socket): void {
    const response = this.lastResponses.get(socket)
    if (response !== undefined && !response.headersSent) response.shouldKeepAlive = true
  }

  /** False: this process has no descriptor left for that; it stays, and is tried again. */
  private leave(socket: Socket): void {
    const last = lastRequestOn(socket)
    const { keepAliveTimeout = 0, headersTimeout = 0 } = serverOf(socket) as TimedServer
    const timeoutMs = last === undefined ? headersTimeout : keepAliveTimeout
    this.outbox.giveBack(socket, tagOf(socket) as number, packReason(this.routeOf(last), REST), packRest(timeoutMs), undefined)
  }

  /** The number of the route that a connection was last used for. */
  private routeOf(request: IncomingMessage | undefined): number {
    // The app may have changed what it was given.
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
    setTimeout(() => socket.destroy(), LINGER_MS).unref()
  }
}

/** Nothing is under way on it: it is between two requests, or nothing has ever come on it. */
export function isQuiet(socket: Socket, idle: Idle): boolean {
  if (idle?.has(socket) === true) return true
  return lastRequestOn(socket) === undefined && socket.bytesRead === 0 && socket.writable
}

function serverOf(socket: Socket): Server | undefined {
  return (socket as Socket & { readonly server?: Server | null }).server ?? undefined
}
