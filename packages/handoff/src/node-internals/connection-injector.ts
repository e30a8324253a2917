// Gives a received connection to a server, in the worker: calls the function that the server's listening handle calls for an accepted
// connection, so that each version of Node does all that it does after accept. Private fields of Node are used in the files of this folder
// and nowhere else.

import { AsyncResource } from 'node:async_hooks'
import { type Server, Socket } from 'node:net'
import type { ProxiedClient } from '../proxied-client.ts'
import { isUsed, listenerOf, withUsed } from '../tag.ts'
import { carrierOf } from './carrier.ts'
import type { Handle } from './handle.ts'
import { acceptOnNode20, isNode20 } from './node-20.ts'

type HandleClass = new (type: number) => Handle

/** The handle that a server listens with. */
interface ListeningHandle {
  onconnection(status: number, client: Handle): void
}

interface PrivateServer {
  readonly _handle: ListeningHandle | null
  readonly noDelay: boolean
  readonly pauseOnConnect: boolean
}

interface PrivateSocket {
  _handle: Handle | null
  /** Of a TLS socket: the socket under it. */
  readonly _parent?: Socket | null
}

const tagKey = Symbol('switchyard.tag')
const offeredKey = Symbol('switchyard.offered')
const http2Key = Symbol('switchyard.http2')
const fedKey = Symbol('switchyard.fed')
const proxiedKey = Symbol('switchyard.proxied')
/** Node's symbol under which a handle refers to its socket; the same for all handles. */
let ownerKey: symbol | undefined

/** What a handle reports of one end of its connection. */
interface HandleAddress {
  address?: string
  port?: number
  family?: string
}

interface OwnedHandle extends Handle {
  [tagKey]?: number
  /** When the primary offered the connection; undefined once it was taken. */
  [offeredKey]?: number | undefined
  /** Are its first bytes those of HTTP/2? */
  [http2Key]?: true
  /** Bytes of the connection that did not come through the handle. */
  [fedKey]?: number
  /** What a proxy said of the client. */
  [proxiedKey]?: ProxiedClient | undefined
  /** Of a TLS handle: the handle below it. */
  readonly _parent?: OwnedHandle | null
  getpeername?(into: HandleAddress): number
  getsockname?(into: HandleAddress): number
  [owner: symbol]: unknown
}

/** TCP.constants.SOCKET and Pipe.constants.SOCKET. */
const SOCKET_TYPE = 0

// Finding the kind of a descriptor takes four system calls. All connections of one listener are of one kind.
const handleClasses = new Map<number, HandleClass>()
const countingClasses = new WeakSet<object>()

/**
 * Injects connections into one server. Create it when the server begins to listen: connections run in the async context of that moment, as
 * in Node.
 */
export class ConnectionInjector {
  private readonly server: Server
  private readonly context = new AsyncResource('SWITCHYARDSERVER', { requireManualDestroy: true })
  /** The last listening handle, which still serves hand-offs on their way when the app has closed the server. */
  private listening: ListeningHandle | null

  constructor(server: Server) {
    this.server = server
    this.listening = this.inner._handle
  }

  private get inner(): PrivateServer {
    return this.server as unknown as PrivateServer
  }

  /** Does a connection wait until the app reads it? */
  get pauses(): boolean {
    return this.inner.pauseOnConnect
  }

  /**
   * Returns the socket of a connection, which the server has counted and emitted. undefined: the server refuses it (`maxConnections`,
   * `blockList`) or the descriptor is dead, and it is closed. `tag`: of the hand-off. `carried`: bytes that the socket reads first.
   * `offeredUs`: when the primary offered it, see `monotonicUs`. `proxied`: its addresses are those that the socket has. `isHttp2`: its first
   * bytes are those of HTTP/2.
   */
  accept(
    from: number | Handle,
    tag: number,
    carried?: Buffer,
    offeredUs?: number,
    proxied?: ProxiedClient,
    isHttp2 = false,
  ): Socket | undefined {
    const handle = (typeof from === 'number' ? openHandle(from, listenerOf(tag)) : countFed(from)) as OwnedHandle | undefined
    if (handle === undefined) return undefined
    handle[tagKey] = tag
    handle[offeredKey] = offeredUs
    if (isHttp2) handle[http2Key] = true
    if (proxied !== undefined) setAddresses(handle, proxied)
    if (carried !== undefined) feedFirst(handle, carried)
    // The connection has inherited TCP_NODELAY from the primary's listener.
    if (!this.inner.noDelay) handle.setNoDelay?.(false)
    this.listening = this.inner._handle ?? this.listening
    this.context.runInAsyncScope(announce, undefined, this.server, this.listening, handle)
    return socketOf(handle)
  }
}

/** The tag of the hand-off that brought an open connection; undefined: none did. */
export function tagOf(socket: Socket): number | undefined {
  return ((socket as unknown as PrivateSocket)._handle as OwnedHandle | null)?.[tagKey]
}

/** The tag of the hand-off that brought the connection under a TLS socket or a stream, which itself has none; undefined: none did. */
export function tagUnderTls(socket: Socket): number | undefined {
  const carrier = carrierOf(socket)
  if (carrier !== undefined) return tagOf(carrier) ?? tagUnderTls(carrier)
  const { _parent: under } = socket as unknown as PrivateSocket
  return under instanceof Socket ? tagOf(under) : undefined
}

/** Was the connection handed off with first bytes of HTTP/2, and the server asked to know? */
export function beginsWithHttp2(socket: Socket): boolean {
  return ((socket as unknown as PrivateSocket)._handle as OwnedHandle | null)?.[http2Key] === true
}

/** The tag, for the first request of a connection only; undefined for later ones, and for connections that no hand-off brought. */
export function takeTag(socket: Socket): number | undefined {
  const { _handle, _parent: under } = (carrierOf(socket) ?? socket) as unknown as PrivateSocket
  const handle = (under instanceof Socket ? (under as unknown as PrivateSocket)._handle : _handle) as OwnedHandle | null
  const tag = handle?.[tagKey]
  if (tag === undefined || isUsed(tag)) return undefined
  ;(handle as OwnedHandle)[tagKey] = withUsed(tag)
  return tag
}

/** The hand-off that brought an open connection. */
export interface HandOffFacts {
  readonly tag: number
  /** When the primary offered it, see `monotonicUs`. */
  readonly offeredUs: number
}

/** The socket that was handed off: the one under TLS, or that which carries the streams of HTTP/2, or the same one. */
export function handedSocket(socket: Socket): Socket {
  const outer = carrierOf(socket) ?? socket
  const { _parent: under } = outer as unknown as PrivateSocket
  return under instanceof Socket ? under : outer
}

/** The hand-off that brought a connection, for the first call only. */
export function takeHandOff(socket: Socket): HandOffFacts | undefined {
  const handle = (socket as unknown as PrivateSocket)._handle as OwnedHandle | null
  const tag = handle?.[tagKey]
  const offeredUs = handle?.[offeredKey]
  if (tag === undefined || offeredUs === undefined) return undefined
  ;(handle as OwnedHandle)[offeredKey] = undefined
  return { tag, offeredUs }
}

/** What a proxy said of the client of a connection, or of the request that is forwarded over it; undefined: nothing. Over TLS too. */
export function proxiedOf(socket: Socket): ProxiedClient | undefined {
  const handle = ((carrierOf(socket) ?? socket) as unknown as PrivateSocket)._handle as OwnedHandle | null | undefined
  return handle?.[proxiedKey] ?? handle?._parent?.[proxiedKey]
}

/** Sets what `proxiedOf` returns, and nothing else. */
export function setProxied(socket: Socket, proxied: ProxiedClient | undefined): void {
  const handle = (socket as unknown as PrivateSocket)._handle as OwnedHandle | null
  if (handle !== null) handle[proxiedKey] = proxied
}

/** The handle reports the addresses that the proxy has sent. A TLS handle asks the one below it. */
function setAddresses(handle: OwnedHandle, proxied: ProxiedClient): void {
  handle[proxiedKey] = proxied
  const { family } = proxied
  handle.getpeername = (into) => {
    Object.assign(into, { address: proxied.remoteAddress, port: proxied.remotePort, family })
    return 0
  }
  handle.getsockname = (into) => {
    Object.assign(into, { address: proxied.localAddress, port: proxied.localPort, family })
    return 0
  }
}

/** Counts `bytes`, which were read elsewhere and are given to the socket as data, in its `bytesRead`. */
export function countAsRead(socket: Socket, bytes: number): void {
  const { _handle: handle } = socket as unknown as PrivateSocket
  if (handle !== null) (handle as OwnedHandle)[fedKey] = bytes
}

function announce(server: Server, listening: ListeningHandle | null, handle: Handle): void {
  if (isNode20) acceptOnNode20(server, handle)
  else listening?.onconnection(0, handle)
}

/** A handle of the class for the listener's connections; undefined: the descriptor is dead. */
function openHandle(fd: number, listener: number): Handle | undefined {
  const known = handleClasses.get(listener)
  if (known === undefined) return firstHandle(fd, listener)
  const handle = new known(SOCKET_TYPE)
  if (handle.open(fd) === 0) return handle
  handle.close()
  return undefined
}

/** Lets Node find the class. */
function firstHandle(fd: number, listener: number): Handle | undefined {
  let finder: PrivateSocket & Socket
  try {
    finder = new Socket({ fd, readable: false, writable: false }) as PrivateSocket & Socket
  } catch {
    return undefined
  }
  const handle = finder._handle as OwnedHandle
  finder._handle = null
  handle[ownerKeyOf(handle)] = undefined
  handleClasses.set(listener, handle.constructor as HandleClass)
  return countFed(handle)
}

/** Makes handles of this class count the bytes that they were fed. */
function countFed(handle: Handle): Handle {
  const { prototype } = handle.constructor
  if (countingClasses.has(prototype)) return handle
  countingClasses.add(prototype)
  const read = inheritedGetter(prototype, 'bytesRead')
  Object.defineProperty(prototype, 'bytesRead', {
    configurable: true,
    get(this: OwnedHandle) {
      const bytes = read.call(this) as number
      const fed = this[fedKey]
      return fed === undefined ? bytes : bytes + fed
    },
  })
  return handle
}

function inheritedGetter(prototype: object, name: string): () => unknown {
  let at: object | null = prototype
  while (at !== null) {
    const getter = Object.getOwnPropertyDescriptor(at, name)?.get
    if (getter !== undefined) return getter
    at = Object.getPrototypeOf(at)
  }
  throw new Error(`this version of Node has no '${name}' of handles`)
}

/** The socket's first read finds these bytes, as if they had been in the kernel. */
function feedFirst(handle: OwnedHandle, bytes: Buffer): void {
  const { readStart } = handle
  handle.readStart = () => {
    handle.readStart = readStart
    handle[fedKey] = bytes.length
    socketOf(handle)?.push(bytes)
    return handle.readStart()
  }
}

function socketOf(handle: OwnedHandle): Socket | undefined {
  return handle[ownerKeyOf(handle)] as Socket | undefined
}

function ownerKeyOf(handle: OwnedHandle): symbol {
  ownerKey ??= Object.getOwnPropertySymbols(handle).find(({ description }) => description === 'owner_symbol')
  return ownerKey ?? tagKey
}
