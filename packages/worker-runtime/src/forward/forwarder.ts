// The sending side of a forward, in the worker that has the client's connection: a request that belongs to another worker, on a connection that
// can't move, goes over that worker's private socket. The answer comes back as it was written there.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Choose, ForwardOptions } from './attempts.ts'
import { ForwardConnections } from './connections.ts'
import { Exchange } from './exchange.ts'
import { Tunnel } from './tunnel.ts'
import { hideForwards } from './unobserved.ts'

export type { Choose, Target } from './attempts.ts'

export interface ForwarderOptions {
  /** Proves to other workers that a request comes from a worker of this balancer. ASCII without spaces. */
  readonly token: string
  /** Requests under way to one worker; further ones get 503. Default 1,024. */
  readonly maxConnections?: number
  /** Idle connections to one worker. Default 64. */
  readonly maxIdleConnections?: number
  /** Idle time after which a connection is closed. Default 10,000. */
  readonly idleTimeoutMs?: number
  /** Workers tried for one request before it gets 502. Default 3. */
  readonly maxTries?: number
}

/** All forwards of one worker. */
export class Forwarder {
  private readonly options: ForwardOptions

  constructor({ token, maxConnections = 1024, maxIdleConnections = 64, idleTimeoutMs = 10_000, maxTries = 3 }: ForwarderOptions) {
    hideForwards()
    this.options = { token, maxTries, connections: new ForwardConnections({ maxConnections, maxIdleConnections, idleTimeoutMs }) }
  }

  /** Forwards a request that the app has not seen. `serveHere` is called when `choose` says 'here'. Never throws. */
  request(request: IncomingMessage, response: ServerResponse, choose: Choose, serveHere: () => void): void {
    new Exchange(this.options, request, response, choose, serveHere).begin()
  }

  /** Forwards an upgrade (or CONNECT), and then all bytes in both directions. Never throws. */
  upgrade(request: IncomingMessage, socket: Duplex, upgradeHead: Buffer, choose: Choose, serveHere: () => void): void {
    new Tunnel(this.options, request, socket, upgradeHead, choose, serveHere).begin()
  }

  /** Ends the idle connections to a worker that is about to exit. */
  forget(socketPath: string): void {
    this.options.connections.forget(socketPath)
  }

  /** Ends the idle connections. Requests under way continue. */
  close(): void {
    this.options.connections.close()
  }
}
