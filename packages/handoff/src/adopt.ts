// Makes a socket of a descriptor and gives it to a server as if the server had accepted it itself.
// The one file that knows the private fields of net.Server and net.Socket.

import { type Server, Socket } from 'node:net'

interface PrivateServer {
  _connections: number
  allowHalfOpen: boolean
  pauseOnConnect: boolean
  highWaterMark?: number
  noDelay: boolean
  keepAlive: boolean
  keepAliveInitialDelay: number
}

interface PrivateSocket {
  server: Server
  _server: Server
}

/** A socket with the server's own options, counted by the server; undefined when `maxConnections` is reached or the descriptor is dead. It is not announced. */
export function adoptDescriptor(server: Server, fd: number): Socket | undefined {
  const inner = server as unknown as PrivateServer
  const options = {
    fd,
    allowHalfOpen: inner.allowHalfOpen,
    pauseOnCreate: inner.pauseOnConnect,
    readable: true,
    writable: true,
    ...(inner.highWaterMark === undefined
      ? {}
      : { readableHighWaterMark: inner.highWaterMark, writableHighWaterMark: inner.highWaterMark }),
  }
  const socket = new Socket(options)
  if (server.maxConnections && inner._connections >= server.maxConnections) {
    server.emit('drop', {
      localAddress: socket.localAddress,
      localPort: socket.localPort,
      remoteAddress: socket.remoteAddress,
      remotePort: socket.remotePort,
    })
    socket.destroy()
    return undefined
  }
  if (inner.noDelay) socket.setNoDelay(true)
  if (inner.keepAlive) socket.setKeepAlive(true, inner.keepAliveInitialDelay)
  inner._connections++
  Object.assign(socket as unknown as PrivateSocket, { server, _server: server })
  return socket
}
