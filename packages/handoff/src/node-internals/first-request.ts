// The moment in which a server's parser has read the first head of a connection, before Node or the app acts on it: Node answers some heads
// itself (400 without Host, 417) before it emits any event. (`onIncoming` of a parser is private, and in all of Node 20 to 26.)

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

type OnIncoming = (request: IncomingMessage, keepsAlive: boolean) => number

interface PrivateSocket {
  readonly parser?: { onIncoming?: OnIncoming | null } | null
}

/** What `onIncoming` gives for a request that needs no special treatment. */
const ORDINARY = 0

/**
 * Asks `mayBegin` once, when the first head is read; false: neither Node nor the app has the request. False as a result: the connection has no parser
 * of Node's own, so that this can't be told.
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
