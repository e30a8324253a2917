// The ClientHello around a request that came over TLS, as far as Node tells: the server name, and of the protocols the one that was agreed on.

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { carrierOf } from '@switchyard/handoff'
import { type ClientHello, dnsName, helloWith } from '@switchyard/routing'

const helloOfSocket = Symbol('switchyard.hello')

interface HelloSocket extends TLSSocket {
  /** Of the requests before. A later handshake on the same connection must not change its name (RFC 6066 §3). */
  [helloOfSocket]?: ClientHello
}

/** Undefined: the connection is not over TLS. */
export function helloOn(stream: Socket): ClientHello | undefined {
  const socket = carrierOf(stream) ?? stream
  if (!(socket instanceof TLSSocket)) return undefined
  const { servername, alpnProtocol, [helloOfSocket]: known } = socket as HelloSocket
  if (known !== undefined) return known
  const name = typeof servername === 'string' ? dnsName(servername) : undefined
  const hello = helloWith(name, typeof alpnProtocol === 'string' ? [alpnProtocol] : [])
  ;(socket as HelloSocket)[helloOfSocket] = hello
  return hello
}
