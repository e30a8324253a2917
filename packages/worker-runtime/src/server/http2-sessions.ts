// The HTTP/2 sessions of this worker. A session can't move, but its client can be told to end it: streams under way are finished, and the client
// sends the rest over a new connection (GOAWAY, RFC 9113 §6.8).

import type { ServerHttp2Session } from 'node:http2'

export class Http2Sessions {
  private readonly all = new Set<ServerHttp2Session>()

  /** A session has begun. */
  add(session: ServerHttp2Session): void {
    this.all.add(session)
    session.once('close', () => this.all.delete(session))
  }

  /** The sessions that have not been told to end. */
  get open(): ServerHttp2Session[] {
    return [...this.all]
  }

  /** Sends GOAWAY, and forgets the session. */
  end(session: ServerHttp2Session): void {
    this.all.delete(session)
    session.close()
  }
}
