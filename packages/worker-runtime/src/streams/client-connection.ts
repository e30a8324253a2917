// The connection of one client that speaks HTTP/2, as far as its streams are forwarded: what other workers must know of the client, and the kept
// connections that carry its streams to them.

import type { Http2Session } from 'node:http2'
import type { Socket } from 'node:net'
import { streamLine } from '../forward/stream-line.ts'
import { KeptConnection } from './kept-connection.ts'

export interface KeptOptions {
  readonly token: string
  /** Of all clients of this worker together, at the same time. */
  readonly maxConnections: number
  readonly idleTimeoutMs: number
}

/** How many kept connections there are. */
export interface KeptCount {
  open: number
  /** Those that are not connected yet. */
  connecting: number
}

export class ClientConnection {
  readonly socket: Socket
  readonly listener: number
  readonly remoteAddress: string | undefined
  private readonly options: KeptOptions
  private readonly count: KeptCount
  private line: string | undefined
  private readonly kept = new Map<string, KeptConnection>()

  /** `socket`: the connection under `session`. */
  constructor(session: Http2Session, socket: Socket, listener: number, options: KeptOptions, count: KeptCount) {
    this.socket = socket
    this.listener = listener
    this.remoteAddress = socket.remoteAddress
    this.options = options
    this.count = count
    session.once('close', () => {
      for (const connection of [...this.kept.values()]) connection.destroy()
    })
  }

  /** The connection to a worker; undefined: this worker has as many as allowed. */
  connectionTo(socketPath: string): KeptConnection | undefined {
    const present = this.kept.get(socketPath)
    if (present?.isOpen === true) return present
    const { count, options } = this
    if (count.open >= options.maxConnections) return undefined
    this.line ??= streamLine(this.socket, this.listener, options.token)
    count.open++
    count.connecting++
    let isConnecting = true
    const connection: KeptConnection = new KeptConnection({
      socketPath,
      line: this.line,
      idleTimeoutMs: options.idleTimeoutMs,
      onEnd: () => {
        count.open--
        if (this.kept.get(socketPath) === connection) this.kept.delete(socketPath)
      },
    })
    connection.whenReady(() => {
      if (isConnecting) count.connecting--
      isConnecting = false
    })
    this.kept.set(socketPath, connection)
    return connection
  }
}
