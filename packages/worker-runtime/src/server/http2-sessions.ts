// The HTTP/2 sessions of this worker. A session can't move, but its client can be told to end it: streams under way are finished, and the client
// sends the rest over a new connection (GOAWAY, RFC 9113 §6.8).

import type { ServerHttp2Session } from 'node:http2'

export class Http2Sessions {
  /** How each one is ended. */
  private readonly all = new Map<ServerHttp2Session, () => void>()

  /** A session has begun. `end` sends GOAWAY. */
  add(session: ServerHttp2Session, end = () => session.close()): void {
    this.all.set(session, end)
    session.once('close', () => this.all.delete(session))
  }

  /** The sessions that have not been told to end. */
  get open(): ServerHttp2Session[] {
    return [...this.all.keys()]
  }

  /** Sends GOAWAY, and forgets the session. */
  end(session: ServerHttp2Session): void {
    const end = this.all.get(session)
    this.all.delete(session)
    end?.()
  }
}
