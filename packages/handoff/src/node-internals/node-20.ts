// Repeats what Node 20 does after accept. Node's own code costs 10 µs more there, a fifth of a small request: net.Socket copies its
// options, and V8 of that version is slow when the copy gets new names. Node 20 gets no new options.

import { channel } from 'node:diagnostics_channel'
import { type Server, Socket, type SocketConstructorOpts } from 'node:net'
import type { Handle } from './handle.ts'

interface PrivateServer {
  _connections: number
  readonly allowHalfOpen: boolean
  readonly pauseOnConnect: boolean
  readonly highWaterMark: number
  readonly noDelay: boolean
  readonly keepAlive: boolean
  /** Seconds. */
  readonly keepAliveInitialDelay: number
}

interface PrivateSocket {
  server: Server
  _server: Server
}

interface AddressedHandle extends Handle {
  getsockname?(into: Address): void
  getpeername?(into: Address): void
  setKeepAlive?(enable: boolean, seconds: number): void
}

interface Address {
  address?: string
  port?: number
  family?: string
}

const accepted = channel('net.server.socket')

export const isNode20 = process.versions.node.startsWith('20.')

export function acceptOnNode20(server: Server, handle: AddressedHandle): void {
  const inner = server as unknown as PrivateServer
  if (server.maxConnections && inner._connections >= server.maxConnections) {
    drop(server, handle)
    return
  }
  const hasKeepAlive = inner.keepAlive && handle.setKeepAlive !== undefined
  const options = {
    handle,
    allowHalfOpen: inner.allowHalfOpen,
    pauseOnCreate: inner.pauseOnConnect,
    readable: true,
    writable: true,
    readableHighWaterMark: inner.highWaterMark,
    writableHighWaterMark: inner.highWaterMark,
    // Only recorded by the socket. The connection has inherited TCP_NODELAY from the primary's listener.
    noDelay: inner.noDelay && handle.setNoDelay !== undefined,
    keepAlive: hasKeepAlive,
    keepAliveInitialDelay: hasKeepAlive ? inner.keepAliveInitialDelay * 1000 : 0,
    // net.Socket sets these on its copy.
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
  }
  const socket = new Socket(options as SocketConstructorOpts)
  if (hasKeepAlive) handle.setKeepAlive?.(true, inner.keepAliveInitialDelay)
  inner._connections++
  const own = socket as unknown as PrivateSocket
  own.server = server
  own._server = server
  server.emit('connection', socket)
  if (accepted.hasSubscribers) accepted.publish({ socket })
}

function drop(server: Server, handle: AddressedHandle): void {
  if (handle.getsockname === undefined || handle.getpeername === undefined) server.emit('drop')
  else {
    const local: Address = {}
    const remote: Address = {}
    handle.getsockname(local)
    handle.getpeername(remote)
    server.emit('drop', {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family as string,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family as string,
    })
  }
  handle.close()
}
