// Did a request come over TLS?

import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'

/** TLS here, or in the proxy before us. */
export function isSecure(request: IncomingMessage): boolean {
  return request.socket instanceof TLSSocket || request.headers['x-forwarded-proto'] === 'https'
}
