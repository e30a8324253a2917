// Notices a proxy that nobody has told the balancer to trust: one address that forwards for many clients. Its clients all look like one then.

import { clientAddress, type KeySource, type RequestHead } from '@switchyard/routing'
import type { Runtime } from '../runtime.ts'

/** Later requests of kept-alive connections are what a proxy sends most; one in so many is looked at. */
const LOOK_EVERY = 16
const MANY_CLIENTS = 8
const MAX_ADDRESSES = 16

/** Bounded: at most 16 addresses with 8 clients each, and a warning for each address once. */
export class ProxyWatch {
  private readonly runtime: Runtime
  private readonly client: KeySource
  private readonly clients = new Map<string, Set<string> | 'told'>()
  private untilLook = LOOK_EVERY

  constructor(runtime: Runtime) {
    this.runtime = runtime
    this.client = clientAddress({ trustedProxies: runtime.start.trustedProxies })
  }

  look(head: RequestHead): void {
    if (--this.untilLook > 0) return
    this.untilLook = LOOK_EVERY
    const hop = head.header('x-forwarded-for')?.split(',').pop()?.trim()
    if (hop === undefined || hop.length > 64) return
    const peer = head.remoteAddress ?? 'unix'
    // A trusted proxy's word is taken, so its client is not the peer.
    if (this.client.of(head) === hop) return
    const seen = this.clients.get(peer) ?? new Set()
    if (seen === 'told') return
    if (!this.clients.has(peer) && this.clients.size >= MAX_ADDRESSES) return
    seen.add(hop)
    this.clients.set(peer, seen.size < MANY_CLIENTS ? seen : 'told')
    if (seen.size >= MANY_CLIENTS) this.tell(peer)
  }

  private tell(peer: string): void {
    const message = `${peer} forwards for many clients (X-Forwarded-For) and is not in trustedProxies: to policies by client address they are one. If it is your proxy, add it`
    this.runtime.send({ switchyard: 'notice', level: 'warn', message })
  }
}
