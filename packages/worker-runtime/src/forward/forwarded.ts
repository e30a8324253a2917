// The receiving side of a forward, in the worker that serves the request. A request over its private socket looks to the app as the client sent it
// to the other worker, and so does its socket.

import { type IncomingHttpHeaders, type IncomingMessage, maxHeaderSize } from 'node:http'
import { isIPv6, type Server, Socket } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { setProxied } from '@switchyard/handoff'
import { beganOf, type ClientFacts, placeOfField, readField, restoreWithheld } from './forwarded-field.ts'
import type { StreamClient } from './stream-line.ts'

/** A head that passed the other worker's limits must pass here together with the added fields. */
const HEAD_GROWTH = 4
/** Nearly all of them are what a proxy may have said of the client. */
const ADDED_BYTES = 8192

const factsKey = Symbol('switchyard.facts')
const beganKey = Symbol('switchyard.began')

/** A connection between two workers. It carries one request at a time, of changing clients. */
interface PrivateSocket extends Socket {
  /** The facts of the present or last request; null before the first. Absent on other sockets. */
  [factsKey]?: ClientFacts | null
  /** Node's own: the response under way. */
  readonly _httpMessage?: object | null
}

interface ForwardedRequest extends IncomingMessage {
  [beganKey]?: number | undefined
}

/** When the other worker began to forward a request, in µs of the monotonic clock; undefined: it has not said so, or the request is not forwarded. */
export function forwardBeganUs(request: IncomingMessage): number | undefined {
  return (request as ForwardedRequest)[beganKey]
}

/** Does another worker send its clients' requests over this connection? */
export function isBetweenWorkers(socket: Socket): boolean {
  return (socket as PrivateSocket)[factsKey] !== undefined
}

interface HeadLimits extends Server {
  maxHeaderSize?: number | undefined
  maxHeadersCount?: number | null | undefined
}

/** The forwarded requests of one server. */
export class ForwardedRequests {
  private readonly server: HeadLimits
  private readonly token: Buffer
  private connections = 0

  constructor(server: Server, token: string) {
    this.server = server
    this.token = Buffer.from(token, 'latin1')
  }

  get hasConnections(): boolean {
    return this.connections > 0
  }

  /** Accepts a connection of the private listener. `announce` must emit the event with the socket. */
  accept(socket: Socket, announce: (event: 'connection' | 'secureConnection', socket: Socket) => boolean): boolean {
    ;(socket as PrivateSocket)[factsKey] = null
    Object.defineProperties(socket, asTheClients)
    this.connections++
    socket.once('close', () => this.connections--)
    const { server } = this
    const { maxHeaderSize: size, maxHeadersCount: count } = server
    // A parser reads its limits when its connection is announced.
    server.maxHeaderSize = (size || maxHeaderSize) * HEAD_GROWTH + ADDED_BYTES
    server.maxHeadersCount = 0
    try {
      if (!speaksTls(server)) return announce('connection', socket)
      // There is no TLS between workers. An HTTP/2 server must see that HTTP/1.1 was negotiated.
      Object.defineProperty(socket, 'alpnProtocol', { configurable: true, value: 'http/1.1' })
      return announce('secureConnection', socket)
    } finally {
      server.maxHeaderSize = size
      server.maxHeadersCount = count
    }
  }

  /** Accepts a connection that carries streams of one client: to the app it is the client's. The caller announces it. */
  acceptStreams(socket: Socket, client: StreamClient): void {
    const facts: ClientFacts = { text: '', kind: 'streams', httpVersion: '2.0', isHttp2: true, ...client }
    // A worker that is gone takes its streams along.
    socket.allowHalfOpen = false
    ;(socket as PrivateSocket)[factsKey] = facts
    Object.defineProperties(socket, asTheClients)
    if (client.proxied !== undefined) setProxied(socket, client.proxied)
    this.connections++
    socket.once('close', () => this.connections--)
  }

  /** Makes a forwarded request look as the client sent it. False: it is not forwarded. */
  restore(request: IncomingMessage): boolean {
    const socket = request.socket as PrivateSocket
    const last = socket[factsKey]
    if (last === undefined) return false
    if (last?.kind === 'streams') return true
    const { rawHeaders } = request
    const place = placeOfField(rawHeaders)
    const facts = place < 0 ? undefined : readField(rawHeaders[place + 1] as string, this.token, last ?? undefined)
    if (facts === undefined) {
      // A server may answer an upgrade as an ordinary request. Then the client sends further requests through the tunnel.
      if (last?.kind === 'tunnel') return true
      socket[factsKey] = null
      return false
    }
    if (facts.proxied !== last?.proxied) setProxied(socket, facts.proxied)
    socket[factsKey] = facts
    cutFields(request, place)
    if (facts.httpVersion !== '1.1') setVersion(request, facts.httpVersion)
    return true
  }
}

/** Is a restored request a health probe of the primary? */
export function isProbe({ socket }: IncomingMessage): boolean {
  return (socket as PrivateSocket)[factsKey]?.kind === 'probe'
}

/** Did a request that was not restored come over the private socket, without the token? */
export function lacksToken({ socket }: IncomingMessage): boolean {
  return (socket as PrivateSocket)[factsKey] === null
}

function cutFields(request: IncomingMessage, place: number): void {
  const { headers, rawHeaders } = request
  const added = rawHeaders.splice(place)
  // Most forwards add one field.
  if (added.length > 2) (request as ForwardedRequest)[beganKey] = beganOf(added)
  // Backwards, because V8 keeps an object fast when its last property is deleted.
  for (let at = added.length - 2; at >= 0; at -= 2) restoreField(headers, rawHeaders, added[at] as string)
  if (restoreWithheld(rawHeaders, added)) request.headers = inOrder(headers, rawHeaders)
  Object.defineProperty(request, 'headersDistinct', distinctHeaders)
}

function restoreField(headers: IncomingHttpHeaders, rawHeaders: readonly string[], name: string): void {
  const key = name.toLowerCase()
  const own = valuesOf(rawHeaders, key)
  if (own === undefined) delete headers[key]
  else headers[key] = own
}

function inOrder(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): IncomingHttpHeaders {
  const ordered: IncomingHttpHeaders = {}
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const key = (rawHeaders[at] as string).toLowerCase()
    ordered[key] ??= headers[key] ?? valuesOf(rawHeaders, key)
  }
  return ordered
}

/** The client's own values of an added field. There are some only if a client guesses our names. */
function valuesOf(rawHeaders: readonly string[], name: string): string | undefined {
  let values: string | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const own = rawHeaders[at] as string
    if (own.length !== name.length || own.toLowerCase() !== name) continue
    values = values === undefined ? rawHeaders[at + 1] : `${values}, ${rawHeaders[at + 1]}`
  }
  return values
}

function setVersion(request: IncomingMessage, version: string): void {
  const [major, minor] = version.split('.')
  request.httpVersion = version
  request.httpVersionMajor = Number(major)
  request.httpVersionMinor = Number(minor)
}

// Node counts the fields before the added ones are cut off, and builds this object later.
const distinctHeaders: PropertyDescriptor & ThisType<IncomingMessage> = {
  configurable: true,
  get() {
    const distinct: Record<string, string[]> = Object.create(null)
    const { rawHeaders } = this
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = (rawHeaders[at] as string).toLowerCase()
      distinct[name] ??= []
      distinct[name].push(rawHeaders[at + 1] as string)
    }
    Object.defineProperty(this, 'headersDistinct', { configurable: true, writable: true, value: distinct })
    return distinct
  },
}

const asTheClients: PropertyDescriptorMap & ThisType<PrivateSocket> = {
  remoteAddress: { configurable: true, get: fact(({ remoteAddress }) => remoteAddress) },
  remotePort: { configurable: true, get: fact(({ remotePort }) => remotePort) },
  remoteFamily: { configurable: true, get: fact(({ remoteAddress }) => familyOf(remoteAddress)) },
  localAddress: { configurable: true, get: fact(({ localAddress }) => localAddress) },
  localPort: { configurable: true, get: fact(({ localPort }) => localPort) },
  localFamily: { configurable: true, get: fact(({ localAddress }) => familyOf(localAddress)) },
  encrypted: { configurable: true, get: fact(({ encrypted }) => encrypted || undefined) },
  alpnProtocol: { configurable: true, get: fact(protocolOf) },
  address: {
    configurable: true,
    writable: true,
    value(this: PrivateSocket) {
      const { localAddress: address, localFamily: family, localPort: port } = this
      return address === undefined ? {} : { address, family, port }
    },
  },
  // Closing an idle connection may lose a request that is on its way, so only the sending worker closes it.
  setTimeout: {
    configurable: true,
    writable: true,
    value(this: PrivateSocket, timeoutMs: number, callback?: () => void) {
      const isIdle = !this._httpMessage && this[factsKey]?.kind !== 'tunnel'
      return Socket.prototype.setTimeout.call(this, isIdle ? 0 : timeoutMs, callback)
    },
  },
}

function fact<T>(of: (facts: ClientFacts) => T): (this: PrivateSocket) => T | undefined {
  return function (this: PrivateSocket) {
    const facts = this[factsKey]
    return facts === null || facts === undefined ? undefined : of(facts)
  }
}

/** As a stream says it in the worker that has the connection. */
function protocolOf({ isHttp2, encrypted }: ClientFacts): string | undefined {
  return isHttp2 ? (encrypted ? 'h2' : 'h2c') : undefined
}

function speaksTls(server: Server): boolean {
  return server instanceof TlsServer
}

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  return isIPv6(address) ? 'IPv6' : 'IPv4'
}
