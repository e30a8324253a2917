// Makes a socket of a descriptor or a handle and gives it to a server as if the server had accepted it itself.
// This file, held-socket.ts, movable.ts, native-outbox.ts and server-connections.ts alone know private fields of Node's servers and sockets.

import { type Server, Socket, type SocketConstructorOpts } from 'node:net'
import { listenerOf } from './tag.ts'

interface PrivateServer {
  _connections: number
  _emitCloseIfDrained(): void
  allowHalfOpen: boolean
  pauseOnConnect: boolean
  highWaterMark?: number
  noDelay: boolean
  keepAlive: boolean
  keepAliveInitialDelay: number
}

/** What a socket of Node's is made of. */
export interface Handle {
  open(fd: number): number
  close(): void
}

type HandleClass = new (type: number) => Handle

const tagKey = Symbol('switchyard.tag')

interface PrivateOptions {
  readonly handle: Handle | undefined
  fd: number | undefined
  readonly allowHalfOpen: boolean
  readonly readable: boolean
  readonly writable: boolean
  readonly pauseOnCreate: boolean
  readonly readableHighWaterMark: number | undefined
  readonly writableHighWaterMark: number | undefined
  readonly noDelay: boolean
  readonly emitClose: boolean
  readonly autoDestroy: boolean
  readonly decodeStrings: boolean
}

interface PrivateSocket {
  [tagKey]: number
  _handle: Handle
  server: Server
  _server: Server
}

/** TCP.constants.SOCKET and Pipe.constants.SOCKET. */
const SOCKET_TYPE = 0

// Asking the kernel what kind of descriptor it is takes four system calls; all connections of one listener are of one kind.
const handleClasses = new Map<number, HandleClass>()

/**
 * A socket with the server's own options, counted by the server; undefined when `maxConnections` is reached or the descriptor is dead.
 * It is not announced. `from`: a descriptor, or a handle that has one. `tag`: the hand-off's.
 */
export function adopt(server: Server, from: number | Handle, tag: number): Socket | undefined {
  const inner = server as unknown as PrivateServer
  const options: PrivateOptions = {
    handle: typeof from === 'number' ? openHandle(from, listenerOf(tag)) : from,
    fd: undefined,
    allowHalfOpen: inner.allowHalfOpen,
    pauseOnCreate: inner.pauseOnConnect,
    readable: true,
    writable: true,
    readableHighWaterMark: inner.highWaterMark,
    writableHighWaterMark: inner.highWaterMark,
    // The listener has set it already; this only tells the socket so.
    noDelay: true,
    // What net.Socket sets on its copy of the options. They are here so that the copy need not change its shape, which Node 20 takes 6 µs for.
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
  }
  if (options.handle === undefined) options.fd = from as number
  const socket = new Socket(options as SocketConstructorOpts)
  if (options.handle === undefined)
    handleClasses.set(listenerOf(tag), (socket as unknown as PrivateSocket)._handle.constructor as HandleClass)
  if (server.maxConnections && inner._connections >= server.maxConnections) {
    const { localAddress, localPort, remoteAddress, remotePort } = socket
    server.emit('drop', { localAddress, localPort, remoteAddress, remotePort })
    socket.destroy()
    return undefined
  }
  if (!inner.noDelay) socket.setNoDelay(false)
  if (inner.keepAlive) socket.setKeepAlive(true, inner.keepAliveInitialDelay)
  inner._connections++
  const own = socket as unknown as PrivateSocket
  own[tagKey] = tag
  own.server = server
  own._server = server
  return socket
}

/** The descriptor of the socket that a server listens on; undefined when it does not listen, or where there is none to be seen. */
export function listeningDescriptor(server: Server): number | undefined {
  const fd = (server as unknown as { _handle: { fd?: number } | null })._handle?.fd
  return fd === undefined || fd < 0 ? undefined : fd
}

/**
 * From now on the number of the server's open connections is a word of memory: that of `words` at `index`. It falls by itself; what is returned
 * is to be called when a connection is announced.
 */
export function publishConnections(server: Server, words: Int32Array, index: number): () => void {
  const inner = server as unknown as PrivateServer
  const publish = () => {
    words[index] = inner._connections
  }
  // Node calls it for each connection that has closed. (An accessor in the place of the count would see every change, but V8 keeps a server with
  // a property that was redefined as a table, and every request that looks at its server would pay for that.)
  const emitCloseIfDrained = inner._emitCloseIfDrained
  inner._emitCloseIfDrained = function () {
    publish()
    emitCloseIfDrained.call(this)
  }
  publish()
  return publish
}

/** The tag of the hand-off with which a connection came; undefined for one that did not come so. */
export function tagOf(socket: Socket): number | undefined {
  return (socket as unknown as PrivateSocket)[tagKey]
}

/** A handle of the class that fits the listener's connections; undefined while it is not known, or when the descriptor is dead. */
function openHandle(fd: number, listener: number): Handle | undefined {
  const known = handleClasses.get(listener)
  if (known === undefined) return undefined
  const handle = new known(SOCKET_TYPE)
  return handle.open(fd) === 0 ? handle : undefined
}
