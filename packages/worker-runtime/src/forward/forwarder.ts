// The sending side of a forward, from the point of view of the worker that has the client's connection: a request that belongs to another
// worker, on a connection that can't move, goes over that worker's private socket, and the answer comes back as it was written there.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Choose, ForwardParts } from './attempts.ts'
import { ForwardConnections } from './connections.ts'
import { Exchange } from './exchange.ts'
import { Tunnel } from './tunnel.ts'

export type { Choose, Target } from './attempts.ts'

export interface ForwarderOptions {
  /** Tells the other workers that a request comes from one of us. No space, and nothing but ASCII. */
  readonly token: string
  /** Requests on their way to one worker at once; beyond it 503. Default 1,024. */
  readonly maxConnections?: number
  /** Idle connections kept to one worker. Default 64. */
  readonly maxIdleConnections?: number
  /** How long a connection may be idle. Default 10,000. */
  readonly idleTimeoutMs?: number
  /** Workers tried for one request before it is answered 502. Default 3. */
  readonly maxTries?: number
}

/** All forwards of one worker. */
export class Forwarder {
  private readonly parts: ForwardParts

  constructor({ token, maxConnections = 1024, maxIdleConnections = 64, idleTimeoutMs = 10_000, maxTries = 3 }: ForwarderOptions) {
    this.parts = { token, maxTries, connections: new ForwardConnections({ maxConnections, maxIdleConnections, idleTimeoutMs }) }
  }

  /** Forwards one request that no app has seen. `serveHere` is called when `choose` says 'here'. Never throws. */
  request(request: IncomingMessage, response: ServerResponse, choose: Choose, serveHere: () => void): void {
    new Exchange(this.parts, request, response, choose, serveHere).begin()
  }

  /** Forwards an upgrade (or CONNECT), and from then on whatever both sides send. Never throws. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, choose: Choose, serveHere: () => void): void {
    new Tunnel(this.parts, request, socket, head, choose, serveHere).begin()
  }

  /** Ends the idle connections to a worker that is about to leave. */
  forget(socketPath: string): void {
    this.parts.connections.forget(socketPath)
  }

  /** Ends the idle connections; what is under way goes on. */
  close(): void {
    this.parts.connections.close()
  }
}
