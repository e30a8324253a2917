// The ClientHello around a request that came over TLS, as far as Node tells: the server name, and of the protocols the one that was agreed on.

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type ClientHello, dnsName, helloWith } from '@switchyard/routing'

/** Undefined: the connection is not over TLS. */
export function helloOn(socket: Socket): ClientHello | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const { servername, alpnProtocol } = socket as TLSSocket & { readonly servername?: unknown }
  return helloWith(typeof servername === 'string' ? dnsName(servername) : undefined, typeof alpnProtocol === 'string' ? [alpnProtocol] : [])
}
