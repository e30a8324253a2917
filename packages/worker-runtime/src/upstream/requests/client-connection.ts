// One connection of a client to a proxy worker. Its requests are served one after another: Node announces pipelined requests together, and requests that
// are not safe must not be processed in parallel (RFC 9112 §9.3.2).

import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ClientWork } from '../../forward/clients.ts'

const connectionKey = Symbol('switchyard.clientConnection')

interface ClientSocket extends Duplex {
  [connectionKey]?: ClientConnection
}

export class ClientConnection {
  /** The request that is being served. It hears when the connection closes. */
  current: ClientWork | undefined
  private readonly socket: Duplex
  /** The response to the last request so far. */
  private last: ServerResponse | undefined
  private waiting = 0

  private constructor(socket: Duplex) {
    this.socket = socket
    // The response's 'close' would not do: a response that waits behind others on its connection never emits it.
    socket.on('close', () => this.current?.onClientClose())
  }

  static of(socket: ClientSocket): ClientConnection {
    let connection = socket[connectionKey]
    if (connection === undefined) {
      connection = new ClientConnection(socket)
      socket[connectionKey] = connection
    }
    return connection
  }

  /** Calls `serve` when the responses to all earlier requests have been sent. It is never called if the connection closes before. */
  serveInOrder(response: ServerResponse, serve: () => void): void {
    this.last = response
    // Node gives the connection to one response at a time, in the order of the requests.
    if (response.socket !== null) return serve()
    this.addWaiting()
    response.once('socket', () => {
      this.removeWaiting()
      process.nextTick(serve)
    })
  }

  /** As `serveInOrder`, for an upgrade: it has no response, and nothing is read as a request behind it. */
  upgradeInOrder(upgrade: () => void): void {
    const { last } = this
    if (last === undefined || last.writableFinished) return upgrade()
    last.once('finish', () => process.nextTick(upgrade))
  }

  /** While requests wait, nothing more is read: what waits is bounded by the size of one read. */
  private addWaiting(): void {
    if (this.waiting++ > 0) return
    // Later than the parser, which resumes the connection behind each request.
    process.nextTick(() => {
      if (this.waiting > 0) this.socket.pause()
    })
  }

  private removeWaiting(): void {
    if (--this.waiting === 0) this.socket.resume()
  }
}
