// The HTTP/2 sessions of this worker. A session can't move, but its client can be told to end it: streams under way are finished, and the client
// sends the rest over a new connection (GOAWAY, RFC 9113 §6.8).

import type { ServerHttp2Session } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { connectionOf } from '@switchyard/handoff'
import { announceGoaway } from './goaway-notice.ts'
import { destroyWhenQuiet } from './lingering-close.ts'

/** Clients that are short of processor time need seconds. */
const ANSWER_MS = 5000

/** Ends a session. `answerMs`: how long the client may take to read the announcement of the end. */
export type EndSession = (answerMs: number) => void

export class Http2Sessions {
  /** How each one is ended, and the server whose HTTP/2 ends in front of it. */
  private readonly all = new Map<ServerHttp2Session, { readonly end: EndSession; readonly server: Server | undefined }>()

  /** A session has begun. `end` sends GOAWAY. `server`: it must end with this server; left out: the app's server of HTTP/2 does as Node does. */
  add(session: ServerHttp2Session, end: EndSession = (answerMs) => endSession(session, answerMs), server?: Server): void {
    this.all.set(session, { end, server })
    session.once('close', () => this.all.delete(session))
  }

  /** The sessions that have not been told to end. */
  get open(): ServerHttp2Session[] {
    return [...this.all.keys()]
  }

  /** Sends GOAWAY, and forgets the session. */
  end(session: ServerHttp2Session, answerMs = ANSWER_MS): void {
    const one = this.all.get(session)
    this.all.delete(session)
    one?.end(answerMs)
  }

  /** The app has closed its server. Kept-alive connections of HTTP/1.1 end then too. */
  endAllOf(server: Server): void {
    for (const [session, one] of this.all) if (one.server === server) this.end(session)
  }
}

/** A session of the app's own server. */
function endSession(session: ServerHttp2Session, answerMs: number): void {
  const connection = connectionOf(session)
  const close = (): void => {
    if (!session.destroyed) closeSession(session, connection)
  }
  if (!announceGoaway(session, { connection, answerMs, onRead: close })) close()
}

/** Sends the last GOAWAY. Behind the last stream, Node half-closes the connection and waits for the client without a bound. */
export function closeSession(session: ServerHttp2Session, connection: Socket | undefined): void {
  connection?.once('finish', () => destroyWhenQuiet(connection))
  session.close()
}
