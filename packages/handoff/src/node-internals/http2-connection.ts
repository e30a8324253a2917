// The connection under an HTTP/2 session. Node's own `session.socket` is a proxy that refuses to write.

import type { Http2Session } from 'node:http2'
import type { Socket } from 'node:net'

let key: symbol | undefined

/** Undefined: this Node does not say, or the session has ended. */
export function connectionOf(session: Http2Session): Socket | undefined {
  key ??= Object.getOwnPropertySymbols(session).find(({ description }) => description === 'socket')
  return key === undefined ? undefined : (session as unknown as Record<symbol, Socket | undefined>)[key]
}
