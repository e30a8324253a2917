// Everything that a server tells its app goes through `emit`, and so through here: what belongs to an unclaimed connection stops, what belongs to
// another worker goes there, and the rest is counted and passes.

import { Server as HttpServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import { Server as HttpsServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { type Outbox, tagOf } from '@switchyard/handoff'
import { type ForwardedRequests, isProbe, isStranger } from '../forward/forwarded.ts'
import type { BoundConnections } from '../steering/bound-connections.ts'
import type { ConnectionMover } from '../steering/connection-mover.ts'
import type { Rest } from '../steering/rest.ts'
import { recordRequest, type Steering } from '../steering/steering.ts'
import type { TicketCookies } from '../steering/ticket-cookie.ts'
import type { VisitorCookies } from '../steering/visitor-cookies.ts'
import { FieldLimit } from './field-limit.ts'
import type { Http2Sessions } from './http2-sessions.ts'
import type { InFlight } from './in-flight.ts'
import type { Receiver } from './receiver.ts'
import { CONNECTION_LOGIN, MANY_HOSTS, traitsOf } from './request-traits.ts'
import type { Websockets } from './websockets.ts'

export interface RequestHookOptions {
  /** A connection is announced. */
  readonly noteConnections: () => void
  readonly reception: Receiver
  readonly forwarded: ForwardedRequests
  readonly inFlight: InFlight
  readonly cookies: TicketCookies | undefined
  readonly learned: VisitorCookies | undefined
  /** Undefined: every request stays where it comes. */
  readonly steering: Steering | undefined
  readonly rest: Rest
  readonly bound: BoundConnections
  readonly departures: ConnectionMover
  readonly upgraded: Websockets
  readonly sessions: Http2Sessions
  readonly outbox: Outbox
}

type Emit = (this: Server, event: string | symbol, ...values: unknown[]) => boolean

/** The events with which a server hands a request over: all have the request first. */
type RequestEvent = 'request' | 'checkContinue' | 'checkExpectation' | 'upgrade' | 'connect'

/** Opens the gate in front of the app of one server. */
export function hookRequests(server: Server, parts: RequestHookOptions): void {
  const { reception, steering, forwarded, rest: resting, departures, upgraded, outbox } = parts
  const emit = server.emit as Emit
  const asks = new ContinueAsks(server)
  const speaksHttp = server instanceof HttpServer || server instanceof TlsServer
  const limit = steering !== undefined && speaksHttp ? new FieldLimit(server) : undefined

  function begin(event: RequestEvent, request: IncomingMessage, second: ServerResponse | Socket, rest: Buffer | undefined): boolean {
    if (!reception.mayTell() || steering?.hasLeft(request.socket) === true) return true
    const response = event === 'upgrade' || event === 'connect' ? undefined : (second as ServerResponse)
    if (departures.isOn && departures.hasEnded(request.socket)) return true
    const departs = response !== undefined && departures.isOn && departures.begin(request, response)
    if (event === 'upgrade') upgraded.add(request, second as Socket)
    if (forwarded.hasConnections) {
      if (forwarded.restore(request)) {
        // What the balancer itself asks is no request of a visitor, and counts as none.
        return isProbe(request) ? emit.call(server, event, request, second, rest) : pass(event, request, second, rest)
      }
      // The limits of the primary are no door if there is another beside it.
      if (isStranger(request)) return turnAway(request.socket, response, 403)
    }
    const isHttp1 = request.httpVersionMajor === 1
    const traits = isHttp1 ? traitsOf(request.rawHeaders) : 0
    if ((traits & MANY_HOSTS) !== 0) return turnAway(request.socket, response, 400)
    if ((traits & CONNECTION_LOGIN) !== 0) parts.bound.recordLogin(request.socket)
    if (steering === undefined || !isHttp1) recordRequest(request)
    else {
      const move = steering.judge(request, departures.isDraining)
      if (move === 'refuse') return turnAway(request.socket, response, 400)
      if (move !== undefined) {
        steering.move(move, request, response, rest, () => void pass(event, request, second, rest))
        return true
      }
    }
    if (!departs && resting.isOn && response !== undefined) resting.begin(request, response)
    return pass(event, request, second, rest)
  }

  function pass(event: RequestEvent, request: IncomingMessage, second: ServerResponse | Socket, rest: Buffer | undefined): boolean {
    // The app is about to run: whoever leaves goes first.
    outbox.flushReturns()
    if (limit?.apply(request) === false) {
      return turnAway(request.socket, event === 'upgrade' || event === 'connect' ? undefined : (second as ServerResponse), 431)
    }
    if (event === 'upgrade' || event === 'connect') {
      parts.inFlight.beginUpgrade(second as Socket)
      reception.countReceived()
      return emit.call(server, event, request, second, rest)
    }
    const response = second as ServerResponse
    parts.inFlight.beginRequest(request, response)
    reception.countReceived()
    reception.noteResponse(response)
    parts.cookies?.prepare(request, response)
    parts.learned?.prepare(request, response)
    if (event !== 'checkContinue' || !asks.isAlone()) return emit.call(server, event, request, response)
    // The app does not listen: what Node does then.
    response.writeContinue()
    return emit.call(server, 'request', request, response)
  }

  function turnAway(socket: Socket, response: ServerResponse | undefined, status: 400 | 403 | 431): true {
    if (response !== undefined) response.writeHead(status, { Connection: 'close' }).end()
    else socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
    return true
  }

  const announce = (event: string, socket: Socket): boolean =>
    limit === undefined ? emit.call(server, event, socket) : limit.lift(() => emit.call(server, event, socket))

  function connect(socket: Socket): boolean {
    parts.noteConnections()
    // What the server accepted by itself came over its private socket.
    const isPrivate = tagOf(socket) === undefined && (socket as Socket & { server?: Server }).server === server
    return isPrivate ? forwarded.accept(socket, announce) : announce('connection', socket)
  }

  server.emit = function (this: Server, event: string | symbol, first?: unknown, second?: unknown, third?: unknown): boolean {
    switch (event) {
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
      case 'upgrade':
      case 'connect':
        return begin(event, first as IncomingMessage, second as ServerResponse | Socket, third as Buffer | undefined)
      case 'connection':
        return connect(first as Socket)
      case 'secureConnection':
        return announce(event, first as Socket)
      case 'clientError':
        if (steering?.hasLeft(second as Socket) === true) return true
        break
      case 'session':
        parts.sessions.add(first as ServerHttp2Session)
    }
    if (!reception.mayTell()) return true
    // biome-ignore lint/complexity/noArguments: any event with any number of values
    return Reflect.apply(emit, this, arguments)
  } as typeof server.emit
  // Where a request can belong elsewhere, Node must not say 100 Continue before that is known.
  if (steering !== undefined && (server instanceof HttpServer || server instanceof HttpsServer)) asks.listen()
}

/** Listens for 'checkContinue', so that Node leaves the answer to the gate. */
class ContinueAsks {
  private readonly server: Server
  private readonly listener = () => {}

  constructor(server: Server) {
    this.server = server
  }

  listen(): void {
    this.server.on('checkContinue', this.listener)
  }

  /** Does the app not listen? */
  isAlone(): boolean {
    const { server, listener } = this
    return server.listenerCount('checkContinue') === 1 && server.listeners('checkContinue')[0] === listener
  }
}
