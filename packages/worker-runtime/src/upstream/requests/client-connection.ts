// One connection of a client to a proxy worker, and the request on it that is being served.

import type { Duplex } from 'node:stream'
import type { ClientWork } from '../../forward/clients.ts'

const connectionKey = Symbol('switchyard.clientConnection')

interface ClientSocket extends Duplex {
  [connectionKey]?: ClientConnection
}

export class ClientConnection {
  /** The request that is being served. It hears when the connection closes. */
  current: ClientWork | undefined

  private constructor(socket: Duplex) {
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
}
