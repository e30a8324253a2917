// The HTTP/2 sessions of this worker. A session can't move, but its client can be told to end it: streams under way are finished, and the client
// sends the rest over a new connection (GOAWAY, RFC 9113 §6.8).

import type { ServerHttp2Session } from 'node:http2'

/** A constant of node:http2, which is loaded only by apps that use it. */
const NO_ERROR = 0
const LAST_STREAM = 2 ** 31 - 1
/** A client that has not answered for this long gets the second GOAWAY all the same. */
const NOTICE_MS = 1000

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

  /**
   * Tells the client to end the session, and forgets it. The first GOAWAY names no last stream, because the client may be sending new ones. When the client
   * has read it, the second one does.
   */
  end(session: ServerHttp2Session): void {
    this.all.delete(session)
    if (session.destroyed || session.closed) return
    const close = (): void => {
      clearTimeout(timer)
      if (!session.destroyed) session.close()
    }
    const timer = setTimeout(close, NOTICE_MS).unref()
    try {
      session.goaway(NO_ERROR, LAST_STREAM)
      if (!session.ping(close)) close()
    } catch {
      close()
    }
  }
}
