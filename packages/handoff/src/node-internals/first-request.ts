// Intercepts the first request of a connection when the server's parser has read its head, before Node or the app acts on it: Node answers
// some heads itself (400 without Host, 417) before it emits any event. The parser's `onIncoming` is private and exists in Node 20 to 26.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

type OnIncoming = (request: IncomingMessage, keepsAlive: boolean) => number

interface PrivateSocket {
  readonly parser?: { onIncoming?: OnIncoming | null } | null
}

/** The result of `onIncoming` for a request without special treatment. */
const ORDINARY = 0

/**
 * Calls `mayBegin` when the first head is read. If it returns false, neither Node nor the app sees the request. Returns false when the
 * connection has no parser of Node, so that nothing can be intercepted.
 */
export function guardFirstRequest(socket: Socket, mayBegin: () => boolean): boolean {
  const parser = (socket as unknown as PrivateSocket).parser
  const onIncoming = parser?.onIncoming
  if (!parser || typeof onIncoming !== 'function') return false
  parser.onIncoming = (request, keepsAlive) => {
    if (!mayBegin()) return ORDINARY
    parser.onIncoming = onIncoming
    return onIncoming(request, keepsAlive)
  }
  return true
}
