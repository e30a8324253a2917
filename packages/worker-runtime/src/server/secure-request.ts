// Tells whether a request came over TLS, here or at a trusted proxy, which says so by a field or by the PROXY protocol.

import type { IncomingMessage } from 'node:http'
import { trustedPeer } from '@switchyard/routing'
import { currentRuntime } from '../runtime.ts'
import { isEncryptedAtProxy } from './proxy-protocol.ts'

type Trusts = (address: string | undefined) => boolean

const NO_PROXIES: readonly string[] = []
const trusters = new WeakMap<readonly string[], Trusts>()

/** `X-Forwarded-Proto` counts only from a trusted proxy. Outside a pool no proxy is trusted. */
export function isSecure(request: IncomingMessage, trustedProxies = currentRuntime()?.start.trustedProxies ?? NO_PROXIES): boolean {
  const socket = request.socket as IncomingMessage['socket'] & { readonly encrypted?: boolean }
  if (socket.encrypted === true || isEncryptedAtProxy(socket)) return true
  return protocolOf(request) === 'https' && trusts(trustedProxies)(socket.remoteAddress)
}

/** As frameworks read it: of several values the first is that of the proxy next to the client. */
function protocolOf({ headers }: IncomingMessage): string | undefined {
  const field = headers['x-forwarded-proto']
  return typeof field === 'string' ? field.split(',', 1)[0]?.trim().toLowerCase() : undefined
}

function trusts(trustedProxies: readonly string[]): Trusts {
  const known = trusters.get(trustedProxies) ?? trustedPeer(trustedProxies)
  trusters.set(trustedProxies, known)
  return known
}
