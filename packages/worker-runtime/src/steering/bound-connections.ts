// The connections that stay with this worker while they are open, because the app identifies the client by the connection: a login by NTLM or
// Negotiate, or a property that the app stores on the socket. Another worker would not know the client.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { challengesConnection, ownStateOf } from '@switchyard/handoff'

const UNAUTHORIZED = 401
const PROXY_UNAUTHORIZED = 407

export class BoundConnections {
  private readonly loggedIn = new WeakSet<Socket>()
  private readonly onFirstState: (name: string) => void
  private hasSeenState = false

  /** `onFirstState` is called once, with the name of the first property that the app stores on a socket. */
  constructor(onFirstState: (name: string) => void) {
    this.onFirstState = onFirstState
  }

  /** The client logs in on the connection, or is about to. */
  recordLogin(socket: Socket): void {
    this.loggedIn.add(socket)
  }

  isLoggedIn(socket: Socket): boolean {
    return this.loggedIn.has(socket)
  }

  /** Records a login if the response demands one. */
  onResponse(response: ServerResponse): void {
    const { statusCode } = response
    if (statusCode !== UNAUTHORIZED && statusCode !== PROXY_UNAUTHORIZED) return
    if (challengesConnection(response)) this.recordLogin(response.req.socket)
  }

  /** Must the connection stay? Costs about a microsecond, so it is asked only when a connection is about to move. */
  has(socket: Socket): boolean {
    if (this.loggedIn.has(socket)) return true
    const name = ownStateOf(socket)
    if (name === undefined) return false
    if (!this.hasSeenState) this.onFirstState(name)
    this.hasSeenState = true
    return true
  }
}
