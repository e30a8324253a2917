// The connections of one worker to the private sockets of other workers: kept alive, bounded, and unref'd while idle.

import { Agent, type ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connectUnobserved } from './unobserved.ts'

export interface ForwardConnectionsOptions {
  /** To one worker, at the same time. */
  readonly maxConnections: number
  readonly maxIdleConnections: number
  readonly idleTimeoutMs: number
}

const isIdle = Symbol('switchyard.idle')

interface PrivateSocket extends Socket {
  [isIdle]?: boolean
}

/** Node's agent, which identifies a target by its socket path alone. */
export class ForwardConnections extends Agent {
  private readonly options: ForwardConnectionsOptions
  private closed = false

  constructor(options: ForwardConnectionsOptions) {
    // Without a server name the agent would search each request's header for one.
    const agentOptions = { keepAlive: true, maxFreeSockets: options.maxIdleConnections, servername: '' }
    super(agentOptions)
    this.options = options
  }

  /** Has the target as many requests from this worker as allowed? */
  isFull(socketPath: string): boolean {
    return (this.sockets[socketPath]?.length ?? 0) >= this.options.maxConnections
  }

  /** Ends the idle connections to one worker. */
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
    const socket: PrivateSocket = connectUnobserved(this.getName(options))
    // Node writes a head without naming an encoding; its characters are bytes.
    socket.setDefaultEncoding('latin1')
    socket.setTimeout(this.options.idleTimeoutMs)
    socket.on('timeout', endIdle)
    // Between two requests there is no other listener.
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
