// Makes a socket of a descriptor and gives it to a server as if the server had accepted it itself.
// The one file that knows the private fields of net.Server and net.Socket.

import { type Server, Socket, type SocketConstructorOpts } from 'node:net'

interface PrivateServer {
  _connections: number
  allowHalfOpen: boolean
  pauseOnConnect: boolean
  highWaterMark?: number
  noDelay: boolean
  keepAlive: boolean
  keepAliveInitialDelay: number
}

interface Handle {
  open(fd: number): number
}

type HandleClass = new (type: number) => Handle

interface PrivateSocket {
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
 * It is not announced. `listener`: number of the listener that accepted it.
 */
export function adoptDescriptor(server: Server, fd: number, listener: number): Socket | undefined {
  const inner = server as unknown as PrivateServer
  const options = {
    allowHalfOpen: inner.allowHalfOpen,
    pauseOnCreate: inner.pauseOnConnect,
    readable: true,
    writable: true,
    readableHighWaterMark: inner.highWaterMark,
    writableHighWaterMark: inner.highWaterMark,
  }
  const socket = openSocket(fd, listener, options as SocketConstructorOpts)
  if (server.maxConnections && inner._connections >= server.maxConnections) {
    const { localAddress, localPort, remoteAddress, remotePort } = socket
    server.emit('drop', { localAddress, localPort, remoteAddress, remotePort })
    socket.destroy()
    return undefined
  }
  if (inner.noDelay) socket.setNoDelay(true)
  if (inner.keepAlive) socket.setKeepAlive(true, inner.keepAliveInitialDelay)
  inner._connections++
  const own = socket as unknown as PrivateSocket
  own.server = server
  own._server = server
  return socket
}

function openSocket(fd: number, listener: number, options: SocketConstructorOpts): Socket {
  const known = handleClasses.get(listener)
  if (known !== undefined) {
    const handle = new known(SOCKET_TYPE)
    if (handle.open(fd) === 0) return new Socket({ ...options, handle } as SocketConstructorOpts)
  }
  const socket = new Socket({ ...options, fd })
  handleClasses.set(listener, (socket as unknown as PrivateSocket)._handle.constructor as HandleClass)
  return socket
}
