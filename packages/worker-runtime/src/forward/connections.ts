// The connections of one worker to the private sockets of others: kept alive, bounded, and never a reason for the process to stay.

import { Agent, type ClientRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export interface ForwardConnectionsOptions {
  /** To one worker, at once. */
  readonly maxConnections: number
  readonly maxIdleConnections: number
  readonly idleTimeoutMs: number
}

const isIdle = Symbol('switchyard.idle')

interface PrivateSocket extends Socket {
  [isIdle]?: boolean
}

/** Node's agent, with a worker's socket path as the only name of a target. */
export class ForwardConnections extends Agent {
  private readonly bounds: ForwardConnectionsOptions
  private closed = false

  constructor(bounds: ForwardConnectionsOptions) {
    // Without a server name the agent would look for one in the header of each request.
    const options = { keepAlive: true, maxFreeSockets: bounds.maxIdleConnections, servername: '' }
    super(options)
    this.bounds = bounds
  }

  /** Has this worker as many requests of ours as it may? */
  isFull(socketPath: string): boolean {
    return (this.sockets[socketPath]?.length ?? 0) >= this.bounds.maxConnections
  }

  /** Ends the idle connections to a worker. */
  forget(socketPath: string): void {
    for (const socket of [...(this.freeSockets[socketPath] ?? [])]) socket.destroy()
  }

  /** Ends the idle connections; those in use end with their requests. */
  close(): void {
    this.closed = true
    for (const socketPath of Object.keys(this.freeSockets)) this.forget(socketPath)
  }

  override getName(options?: object): string {
    return (options as { socketPath: string }).socketPath
  }

  override createConnection(options: object): Socket {
    const socket: PrivateSocket = connect({ path: this.getName(options) })
    // What Node writes without naming an encoding is a head: its characters are bytes.
    socket.setDefaultEncoding('latin1')
    socket.setTimeout(this.bounds.idleTimeoutMs)
    socket.on('timeout', endIdle)
    // For the moments between two requests, when nobody else listens.
    socket.on('error', ignore)
    return socket
  }

  override keepSocketAlive(stream: Duplex): boolean {
    const socket = stream as PrivateSocket
    socket[isIdle] = true
    socket.unref()
    return !this.closed
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    ;(stream as PrivateSocket)[isIdle] = false
    super.reuseSocket(stream, request)
  }
}

function endIdle(this: PrivateSocket): void {
  if (this[isIdle] === true) this.destroy()
}

function ignore(): void {}
