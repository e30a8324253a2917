// Announces the end of an HTTP/2 session (RFC 9113 §6.8): a GOAWAY that excludes no stream tells the client to begin no more. The PING behind it comes back
// when the client has read it, and then every stream that the client has begun is here. The session's own GOAWAY, which follows, excludes none of them.

import type { ServerHttp2Session } from 'node:http2'
import type { Socket } from 'node:net'

/** Stream 0, last stream 2^31-1, NO_ERROR. */
const NOTICE = Buffer.from([...[0, 0, 8, 7, 0, 0, 0, 0, 0], ...[0x7f, 0xff, 0xff, 0xff], ...[0, 0, 0, 0]])

/** How an announced session ends. */
export interface GoawayOptions {
  /** The connection under the session. Undefined: it is unknown. */
  readonly connection: Socket | undefined
  /** How long the client may take to read the announcement. Until then its new streams are served. */
  readonly answerMs: number
  /** Called once, when the client has read the announcement, or after `answerMs`. Sends the session's own GOAWAY. */
  readonly onRead: () => void
}

/**
 * Announces the end of a session. False: there can be no announcement, and `onRead` is not called. Node has no function for it, so the frame is written beside
 * Node, between two of its writes, each of which is made of whole frames. Over TLS that would end the process: Node's TLS layer takes one write at a time.
 * No other means serves there. Once `session.goaway(0, 2 ** 31 - 1)` is sent, Node ignores new streams. With `maxConcurrentStreams: 0` it refuses those that
 * come before the client has acknowledged the setting.
 */
export function announceGoaway(session: ServerHttp2Session, { connection, answerMs, onRead }: GoawayOptions): boolean {
  if (connection === undefined || session.encrypted || session.closed || session.destroyed || !connection.writable) return false
  let isOver = false
  const end = (): void => {
    if (isOver) return
    isOver = true
    clearTimeout(timer)
    onRead()
  }
  // After a blocked loop, streams and the answer may have arrived. They are read before the immediate.
  const timer = setTimeout(() => setImmediate(end), answerMs).unref()
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
