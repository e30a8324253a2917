// Announces the end of an HTTP/2 session (RFC 9113 §6.8): a GOAWAY that excludes no stream tells the client to begin no more. The PING behind it comes back
// when the client has read it, and then every stream that the client has begun is here. The session's own GOAWAY, which follows, excludes none of them.

import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** Stream 0, last stream 2^31-1, NO_ERROR. */
const NOTICE = Buffer.from([...[0, 0, 8, 7, 0, 0, 0, 0, 0], ...[0x7f, 0xff, 0xff, 0xff], ...[0, 0, 0, 0]])
/** Some clients do not answer a PING while they do not read. */
const ANSWER_MS = 1000

/**
 * Calls `then` once, when the client has read the announcement, or after a second. False: there can be none, and `then` is not called. Node has no function for
 * it, so the frame is written beside Node, between two of its writes, each of which is made of whole frames. Over TLS that would end the process: Node's TLS
 * layer takes one write at a time.
 */
export function announceGoaway(session: ServerHttp2Session, connection: Socket | undefined, then: () => void): boolean {
  if (connection === undefined || session.encrypted || session.closed || session.destroyed || !connection.writable) return false
  let isOver = false
  const end = (): void => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    then()
  }
  const timer = setTimeout(end, ANSWER_MS).unref()
  const announce = (): void => {
    if (isOver || session.destroyed || !connection.writable) return end()
    // The first frame of a server is SETTINGS (RFC 9113 §3.4). Node writes it some turns of the loop after the session has begun.
    if (connection.bytesWritten === 0) return void setImmediate(announce)
    connection.write(NOTICE)
    // Too many of the app's own pings may be under way.
    if (!session.ping(end)) setImmediate(end)
  }
  announce()
  return true
}
