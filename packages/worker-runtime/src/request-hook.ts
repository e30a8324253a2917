// Stands between one server and its app by replacing the server's `emit`: it stops events of unclaimed connections, moves requests that belong
// to another worker, and counts and passes on the rest.

import { Server as HttpServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import { Server as HttpsServer } from 'node:https'
import type { Server, Socket } from 'node:net'
import { type TLSSocket, Server as TlsServer } from 'node:tls'
import { beginsWithHttp2, type Outbox, tagOf } from '@switchyard/handoff'
import type { AccessLog } from './access-log/access-log.ts'
import { type ForwardedRequests, isProbe, lacksToken } from './forward/forwarded.ts'
import { isBehindForwarded, serveInOrder, upgradeInOrder } from './forward/request-order.ts'
import { readStreamLine, type StreamClient } from './forward/stream-line.ts'
import type { Http2Termination } from './http2/http2-termination.ts'
import { FieldLimit } from './server/field-limit.ts'
import type { Http2Sessions } from './server/http2-sessions.ts'
import type { Receiver } from './server/receiver.ts'
import type { InFlight } from './server/requests/in-flight.ts'
import { type Emit, RequestStart } from './server/requests/request-start.ts'
import { CONNECTION_LOGIN, MANY_HOSTS, traitsOf } from './server/requests/request-traits.ts'
import type { HstsFields } from './server/tls/hsts.ts'
import type { TlsTermination } from './server/tls/tls-termination.ts'
import type { Websockets } from './server/websockets.ts'
import type { BoundConnections } from './steering/bound-connections.ts'
import type { ConnectionMover } from './steering/connection-mover.ts'
import type { ExplainHeader } from './steering/explain-header.ts'
import type { Rest } from './steering/rest.ts'
import { recordRequest, type Steering } from './steering/steering.ts'
import type { TicketCookies } from './steering/ticket-cookie.ts'
import type { VisitorCookies } from './steering/visitor-cookies.ts'
import type { OwnStreams, StreamEvent } from './streams/own-streams.ts'
import type { TicketLoader } from './tls-tickets/ticket-loader.ts'
import type { RequestSpans } from './traces/request-spans.ts'

export interface RequestHookOptions {
  /** Writes the server's count of connections to the load row. Called when a connection is announced. */
  readonly countConnections: () => void
  readonly receiver: Receiver
  readonly forwarded: ForwardedRequests
  readonly inFlight: InFlight
  /** Undefined: there is no access log. */
  readonly accessLog: AccessLog | undefined
  readonly spans: RequestSpans
  readonly ticketCookies: TicketCookies | undefined
  readonly visitorCookies: VisitorCookies | undefined
  readonly explainHeader: ExplainHeader | undefined
  /** Undefined: every request stays in this worker. */
  readonly steering: Steering | undefined
  readonly rest: Rest
  readonly bound: BoundConnections
  readonly mover: ConnectionMover
  readonly websockets: Websockets
  readonly http2Sessions: Http2Sessions
  /** Of a server that speaks HTTP/2 itself. */
  readonly ownStreams: OwnStreams | undefined
  /** Proves that a private connection which carries streams of HTTP/2 comes from another worker; undefined: there is none. */
  readonly streamToken: Buffer | undefined
  readonly outbox: Outbox
  /** Ends TLS for the app's server. undefined: no listener of the config asks for that. */
  readonly termination: TlsTermination | undefined
  /** Ends HTTP/2 for the app's server. undefined: no listener of the config asks for that. */
  readonly http2: Http2Termination | undefined
  readonly hsts: HstsFields | undefined
  readonly ticketLoader: TicketLoader
  /** Health checks under this path are answered here: they came over TLS, or behind another request. undefined: none is. */
  readonly healthPath?: string | undefined
}

/** The events that hand a request to the app; the request is their first value. */
type RequestEvent = 'request' | 'checkContinue' | 'checkExpectation' | 'upgrade' | 'connect'

/** Installs the hook on one server. */
export function hookRequests(server: Server, options: RequestHookOptions): void {
  const { receiver, steering, forwarded, rest, mover, websockets, outbox } = options
  const own = Object.hasOwn(server, 'emit') ? (server.emit as Emit) : undefined
  const prototype = Object.getPrototypeOf(server) as Server
  /** The server's own. An agent that is loaded later changes the prototype. */
  const emitOf = (): Emit => own ?? (prototype.emit as Emit)
  const continueListener = new ContinueListener(server)
  const speaksHttp = server instanceof HttpServer || server instanceof TlsServer
  const limit = steering !== undefined && speaksHttp ? new FieldLimit(server) : undefined

  function begin(event: RequestEvent, request: IncomingMessage, second: ServerResponse | Socket, upgradeHead: Buffer | undefined): boolean {
    if (!receiver.mayAct() || steering?.isGivenBack(request.socket) === true) return true
    const response = event === 'upgrade' || event === 'connect' ? undefined : (second as ServerResponse)
    if (mover.isOn && mover.hasEnded(request.socket)) return true
    const isMoving = response !== undefined && mover.isOn && mover.begin(request, response)
    if (response !== undefined && options.healthPath !== undefined && isHealthCheck(request, options.healthPath))
      return answerHealth(request, response)
    if (event === 'upgrade') websockets.add(request, second as Socket)
    if (forwarded.hasConnections) {
      if (forwarded.restore(request)) {
        // A probe of the primary is not counted.
        return isProbe(request) ? deliver(event, request, second, upgradeHead) : pass(event, request, second, upgradeHead)
      }
      // Without this check the private socket would bypass the primary's limits.
      if (lacksToken(request)) return refuse(request.socket, response, 403)
    }
    const isHttp1 = request.httpVersionMajor === 1
    const traits = isHttp1 ? traitsOf(request.rawHeaders) : 0
    if ((traits & MANY_HOSTS) !== 0) return refuse(request.socket, response, 400)
    if ((traits & CONNECTION_LOGIN) !== 0) options.bound.recordLogin(request.socket)
    if (steering === undefined || !isHttp1) recordRequest(request)
    else {
      const move = steering.decide(request, mover.isDraining)
      if (move === 'refuse') return refuse(request.socket, response, 400)
      if (move !== undefined) {
        steering.move(move, request, response, upgradeHead, () => void pass(event, request, second, upgradeHead))
        return true
      }
    }
    if (!isMoving && rest.isOn && response !== undefined) rest.begin(request, response)
    // Only a request behind another one has no connection yet.
    if (isHttp1 && (response === undefined || response.socket === null)) return passInOrder(event, request, response, second, upgradeHead)
    return pass(event, request, second, upgradeHead)
  }

  /** A request behind one that was forwarded waits for its answer: the other worker may not have begun with it. */
  function passInOrder(
    event: RequestEvent,
    request: IncomingMessage,
    response: ServerResponse | undefined,
    second: ServerResponse | Socket,
    upgradeHead: Buffer | undefined,
  ): boolean {
    const { socket } = request
    if (steering === undefined || !isBehindForwarded(socket)) return pass(event, request, second, upgradeHead)
    const serve = (): void => {
      if (!socket.destroyed) pass(event, request, second, upgradeHead)
    }
    if (response === undefined) upgradeInOrder(socket, serve)
    else serveInOrder(socket, response, serve)
    return true
  }

  function pass(event: RequestEvent, request: IncomingMessage, second: ServerResponse | Socket, upgradeHead: Buffer | undefined): boolean {
    // Connections that move must not wait for the app's code, which runs next.
    outbox.flushReturns()
    if (limit?.apply(request) === false) {
      return refuse(request.socket, event === 'upgrade' || event === 'connect' ? undefined : (second as ServerResponse), 431)
    }
    if (event === 'upgrade' || event === 'connect') {
      options.accessLog?.beginUpgrade(request, second as Socket)
      options.inFlight.beginUpgrade(request, second as Socket)
      receiver.countReceived()
      return emitOf().call(server, event, request, second, upgradeHead)
    }
    const response = second as ServerResponse
    const open = options.inFlight.beginRequest(request, response)
    options.accessLog?.begin(open, request, response)
    receiver.countReceived()
    receiver.recordResponse(response)
    options.ticketCookies?.prepare(request, response)
    options.visitorCookies?.prepare(request, response)
    options.explainHeader?.prepare(request, response)
    options.hsts?.prepare(request, response)
    if (event !== 'checkContinue' || !continueListener.isAlone()) return deliver(event, request, response)
    // The app has no listener: do as Node does then.
    response.writeContinue()
    return deliver('request', request, response)
  }

  function deliver(event: RequestEvent, request: IncomingMessage, second: ServerResponse | Socket, upgradeHead?: Buffer): boolean {
    const isUpgrade = event === 'upgrade' || event === 'connect'
    if (options.spans.isOn && event === 'request') return deliverTraced(request, second as ServerResponse)
    if (requestStart === undefined || isUpgrade) return emitOf().call(server, event, request, second, upgradeHead)
    return requestStart.pass(event, request, second)
  }

  function deliverTraced(request: IncomingMessage, response: ServerResponse): boolean {
    const end = options.spans.prepare(server, request)
    try {
      return requestStart === undefined
        ? emitOf().call(server, 'request', request, response)
        : requestStart.pass('request', request, response)
    } finally {
      end?.()
    }
  }

  function refuse(socket: Socket, response: ServerResponse | undefined, status: 400 | 403 | 431): true {
    if (response !== undefined) response.writeHead(status, { Connection: 'close' }).end()
    else socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
    return true
  }

  const announce = (event: string, socket: Socket): boolean =>
    limit === undefined ? emitOf().call(server, event, socket) : limit.lift(() => emitOf().call(server, event, socket))

  // An app with a server of HTTP/2 speaks it itself.
  const http2 = server instanceof HttpServer ? options.http2 : undefined
  const announceOne = (socket: Socket): boolean =>
    options.ownStreams === undefined ? announce('connection', socket) : connectOwn('connection', socket)
  /** The connection that a server of HTTP/2 accepts now. */
  let connecting: Socket | undefined

  const speaksTls = server instanceof TlsServer

  function endHttp2(connection: Socket, listener?: number): true {
    http2?.accept({ connection, server, announce: announceOne, ...(listener !== undefined && { listener }) })
    return true
  }

  /** Another worker sends the streams of one client. */
  function acceptStreams(socket: Socket, client: StreamClient): void {
    forwarded.acceptStreams(socket, client)
    if (options.ownStreams !== undefined) connectOwn(server instanceof TlsServer ? 'secureConnection' : 'connection', socket)
    else if (http2 !== undefined) endHttp2(socket, client.listener)
    else socket.destroy()
  }

  /** Node begins a session of HTTP/2 while it emits this event. */
  function connectOwn(event: string, socket: Socket): boolean {
    const before = connecting
    connecting = socket
    try {
      return announce(event, socket)
    } finally {
      connecting = before
    }
  }

  function connect(socket: Socket): boolean {
    options.countConnections()
    const { termination } = options
    const tag = termination && tagOf(socket)
    const ends = tag !== undefined && termination?.isFor(tag) === true
    // Only connections to such servers are marked.
    const isHttp2 = http2 !== undefined && !ends && beginsWithHttp2(socket)
    if (options.spans.isOn && (ends || speaksTls || isHttp2)) options.spans.onTaken(socket)
    if (ends) {
      const speaksHttp2 = (secure: Socket): boolean => http2?.isFor(tag) === true && (secure as TLSSocket).alpnProtocol === 'h2'
      termination.accept(socket, tag, { server, announce: (secure) => void (speaksHttp2(secure) ? endHttp2 : announceOne)(secure) })
      return true
    }
    if (isHttp2) return endHttp2(socket)
    // The server itself accepts only on its private socket.
    const isPrivate = tagOf(socket) === undefined && (socket as Socket & { server?: Server }).server === server
    if (!isPrivate) return announceOne(socket)
    options.spans.poll()
    const { streamToken } = options
    if (streamToken === undefined) return forwarded.accept(socket, announce)
    readStreamLine(socket, streamToken, (client) => {
      if (client === undefined) forwarded.accept(socket, announce)
      else acceptStreams(socket, client)
    })
    return true
  }

  const hook = function (this: Server, event: string | symbol, first?: unknown, second?: unknown, third?: unknown): boolean {
    switch (event) {
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
      case 'upgrade':
      case 'connect':
        if (requestStart?.isPassedOn(first as IncomingMessage) === true) break
        return begin(event, first as IncomingMessage, second as ServerResponse | Socket, third as Buffer | undefined)
      case 'connection':
        return connect(first as Socket)
      case 'secureConnection':
        options.ticketLoader.onSecured(first as TLSSocket)
        return options.ownStreams === undefined ? announce(event, first as Socket) : connectOwn(event, first as Socket)
      case 'clientError':
        if (steering?.isGivenBack(second as Socket) === true) return true
        break
      case 'session':
        options.http2Sessions.add(first as ServerHttp2Session)
        if (connecting !== undefined) options.ownStreams?.addSession(first as ServerHttp2Session, connecting)
        break
      case 'stream':
        if (options.ownStreams === undefined) break
        // biome-ignore lint/complexity/noArguments: any event with any number of values
        return takeStream(arguments as unknown as [event: string, ...values: StreamEvent])
    }
    if (!receiver.mayAct()) return true
    // biome-ignore lint/complexity/noArguments: any event with any number of values
    return Reflect.apply(emitOf(), this, arguments)
  }
  function takeStream([event, ...values]: [event: string, ...values: StreamEvent]): true {
    options.ownStreams?.take(values, () => void emitOf().call(server, event, ...values))
    return true
  }
  const requestStart = RequestStart.install(server, emitOf, hook)
  // A request that may belong to another worker must not get Node's 100 Continue here.
  if (steering !== undefined && (server instanceof HttpServer || server instanceof HttpsServer)) continueListener.listen()
}

function isHealthCheck({ method, url = '' }: IncomingMessage, path: string): boolean {
  return url.startsWith(path) && (url.length === path.length || url[path.length] === '?') && (method === 'GET' || method === 'HEAD')
}

/** This worker serves, so the balancer does. The connection ends, so that the next check reaches the primary. */
function answerHealth({ httpVersionMajor }: IncomingMessage, response: ServerResponse): true {
  if (httpVersionMajor === 1) response.setHeader('Connection', 'close')
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store', 'Content-Length': 3 }).end('ok\n')
  return true
}

/** Listens for 'checkContinue', so that Node does not send 100 Continue before the hook has run. */
class ContinueListener {
  private readonly server: Server
  private readonly listener = () => {}

  constructor(server: Server) {
    this.server = server
  }

  listen(): void {
    this.server.on('checkContinue', this.listener)
  }

  /** Is this the only listener, so that the app has none? */
  isAlone(): boolean {
    const { server, listener } = this
    return server.listenerCount('checkContinue') === 1 && server.listeners('checkContinue')[0] === listener
  }
}
