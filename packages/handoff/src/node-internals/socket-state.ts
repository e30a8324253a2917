// Finds state that an app keeps on a connection's socket, such as a login that holds for the connection. Knows the properties that Node and
// this package put there, the written head of a response, and the address of the peer.

import { Server as HttpServer, type ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { hasNative, native } from '../native-module.ts'

interface PrivateResponse {
  readonly _header?: string | null
}

interface PeerHandle {
  readonly fd?: number
  /** Of a TLS handle: the handle below it. */
  readonly _parent?: object | null
  getpeername?(found: object): number
}

interface PrivateSocket {
  readonly _handle?: PeerHandle | null
  readonly _peername?: object
}

/** Properties that Node adds to a socket in use, besides names that begin with `_`. */
const LATER = new Set(['timeout', 'domain', 'Symbol(kSetKeepAliveInterval)', 'Symbol(kSetKeepAliveCount)'])
const OURS = 'switchyard.'
/** RFC 4559 and NTLM: the login holds for the connection. */
const CONNECTION_CHALLENGE = /^(?:www|proxy)-authenticate:(?:[^\r\n]*,)?[ \t]*(?:ntlm|negotiate)(?=[ ,\r])/im

let nodesKeys: ReadonlySet<string | symbol> | undefined

/** The name of a property that neither Node nor this package has put on the socket of an HTTP server; undefined: there is none. */
export function ownStateOf(socket: Socket): string | undefined {
  nodesKeys ??= keysOfServedSocket()
  for (const key of Reflect.ownKeys(socket)) {
    if (nodesKeys.has(key) || LATER.has(String(key))) continue
    const isKnown = typeof key === 'string' ? key.startsWith('_') : key.description?.startsWith(OURS) === true
    if (!isKnown) return String(key)
  }
  return undefined
}

/** Does a response ask for a login that holds for its connection? Its head must be written. */
export function challengesConnection(response: ServerResponse): boolean {
  return CONNECTION_CHALLENGE.test((response as PrivateResponse)._header ?? '')
}

/** Bytes of the written head of a response; 0: it has none yet, or is an HTTP/2 response. */
export function headLengthOf(response: ServerResponse): number {
  return (response as PrivateResponse)._header?.length ?? 0
}

/** `socket.bytesWritten` without what is buffered, which takes much longer to add up. Exact while nothing is buffered, as at the end of a response. */
export function sentBytesOf(socket: Socket): number {
  const { _bytesDispatched: bytes } = socket as unknown as { readonly _bytesDispatched?: number }
  return bytes ?? socket.bytesWritten
}

/**
 * `socket.remoteAddress` of a connection. Node keeps what it finds in a new property of the socket, after which the shape of the object is no longer the usual one
 * and each request on it takes some percent longer; this does not.
 */
export function peerAddressOf(socket: Socket): string | undefined {
  const { _handle: handle, _peername: known } = socket as unknown as PrivateSocket
  if (known !== undefined || typeof handle?.getpeername !== 'function') return socket.remoteAddress
  const address = kernelsAddress(handle)
  if (address !== undefined) return address
  const found: { address?: string } = {}
  return handle.getpeername(found) === 0 ? found.address : undefined
}

/**
 * The address that the kernel has, in half of the time that Node takes. undefined: ask the handle. A proxy has named another address, the handle is none of a
 * connection of its own, or it is a link-local address, to which Node adds the interface.
 */
function kernelsAddress(handle: PeerHandle): string | undefined {
  const { fd = -1, _parent: below } = handle
  if (fd < 0 || below !== undefined || Object.hasOwn(handle, 'getpeername') || !hasNative()) return undefined
  const address = native().peerAddress(fd)
  return address?.startsWith('fe') === true ? undefined : address
}

function keysOfServedSocket(): ReadonlySet<string | symbol> {
  const socket = new Socket()
  new HttpServer().emit('connection', socket)
  const keys = new Set(Reflect.ownKeys(socket))
  socket.destroy()
  return keys
}

/** The socket under one that speaks TLS; undefined: there is none. */
export function socketUnder(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as { readonly _parent?: Socket | null })._parent ?? undefined
}
