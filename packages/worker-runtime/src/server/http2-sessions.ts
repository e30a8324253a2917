// The HTTP/2 sessions of this worker, where its app speaks that. A session can't move, but it can be told to end: what is under way is finished, and
// the client sends the rest over a new connection (GOAWAY, RFC 9113 §6.8).

import type { ServerHttp2Session } from 'node:http2'

export class Http2Sessions {
  private readonly all = new Set<ServerHttp2Session>()

  /** A session has begun. */
  add(session: ServerHttp2Session): void {
    this.all.add(session)
    session.once('close', () => this.all.delete(session))
  }

  /** Those that have not been told to end. */
  get open(): ServerHttp2Session[] {
    return [...this.all]
  }

  /** Tells its client; it is not among the others any more. */
  end(session: ServerHttp2Session): void {
    this.all.delete(session)
    session.close()
  }
}
