// Connections that belong to this worker for as long as they are open, because the app knows their client by the connection: a login by NTLM or Negotiate,
// or anything that the app keeps on the socket. Elsewhere the client would be a stranger.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { challengesConnection, ownStateOf } from '@switchyard/handoff'

const UNAUTHORIZED = 401
const PROXY_UNAUTHORIZED = 407

/** Those of one worker. */
export class BoundConnections {
  private readonly loggedIn = new WeakSet<Socket>()
  private readonly onFirstState: (name: string) => void
  private hasSeenState = false

  /** `onFirstState`: is told the name of the first property that the app keeps on a socket. */
  constructor(onFirstState: (name: string) => void) {
    this.onFirstState = onFirstState
  }

  /** Its client logs in on it, or is about to. */
  recordLogin(socket: Socket): void {
    this.loggedIn.add(socket)
  }

  isLoggedIn(socket: Socket): boolean {
    return this.loggedIn.has(socket)
  }

  /** A response is written: does it begin a login? */
  noteResponse(response: ServerResponse): void {
    const { statusCode } = response
    if (statusCode !== UNAUTHORIZED && statusCode !== PROXY_UNAUTHORIZED) return
    if (challengesConnection(response)) this.recordLogin(response.req.socket)
  }

  /** Does the app know its client by it? Costs about a microsecond: to be asked when a connection is about to move. */
  has(socket: Socket): boolean {
    if (this.loggedIn.has(socket)) return true
    const name = ownStateOf(socket)
    if (name === undefined) return false
    if (!this.hasSeenState) this.onFirstState(name)
    this.hasSeenState = true
    return true
  }
}
