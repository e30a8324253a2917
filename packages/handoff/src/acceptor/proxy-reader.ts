// Decides for one listener of the primary which connections begin with a header of the PROXY protocol, and reads it. It is loaded when a listener
// expects such headers.

import { trustedPeer } from '@switchyard/routing'
import type { ProxiedClient } from '../proxied-client.ts'
import type { ProxyProtocolOptions } from './listener.ts'
import { readProxyHeader } from './proxy-header.ts'
import type { ProxyHeaderFault } from './refusal.ts'

/** `wait`: more bytes are needed. `direct`: there is no header. A reason: the connection is refused. */
export type ProxyOutcome =
  | 'wait'
  | 'direct'
  | ProxyHeaderFault
  | { readonly byteLength: number; readonly client: ProxiedClient | undefined }

export class ProxyReader {
  private readonly required: boolean
  private readonly isFrom: (address: string | undefined) => boolean
  /** Most connections come from few proxies. */
  private lastAddress: string | undefined
  private isLastTrusted: boolean

  /** Throws TypeError for an entry of `from` that is no address or CIDR. */
  constructor({ from, required = true }: ProxyProtocolOptions) {
    this.required = required
    this.isFrom = trustedPeer(from)
    this.isLastTrusted = this.isFrom(undefined)
  }

  /** May this peer send headers? undefined: a peer on a unix socket. */
  trusts(address: string | undefined): boolean {
    if (address !== this.lastAddress) {
      this.isLastTrusted = this.isFrom(address)
      this.lastAddress = address
    }
    return this.isLastTrusted
  }

  /** Reads the header at the start of a connection, of which `length` bytes have come. `address`: of the peer. */
  read(bytes: Buffer, length: number, address: string | undefined): ProxyOutcome {
    const header = readProxyHeader(bytes, length)
    const isTrusted = this.trusts(address)
    switch (header.outcome) {
      case 'none':
        return isTrusted && this.required ? 'proxy-header-missing' : 'direct'
      case 'incomplete':
        return isTrusted || !isDistinct(length) ? 'wait' : 'proxy-header-untrusted'
      case 'invalid':
        return isTrusted ? 'proxy-header-invalid' : 'proxy-header-untrusted'
      case 'complete':
        return isTrusted ? header : 'proxy-header-untrusted'
    }
  }
}

/** Can so many bytes of a header be the start of nothing else? A line may begin with `PROXY`, and a request with empty lines. */
function isDistinct(length: number): boolean {
  return length > 5
}
