// Detects a proxy that is not in `trustedProxies`: one address that forwards for many clients, which policies then see as one client.

import { clientAddress, type KeySource, type RequestHead } from '@switchyard/routing'
import type { Runtime } from '../runtime.ts'

/** A proxy sends mostly later requests of kept-alive connections. One in this many is examined. */
const SAMPLE_EVERY = 16
const MANY_CLIENTS = 8
const MAX_ADDRESSES = 16

/** Remembers at most 16 addresses with 8 clients each, and warns once per address. */
export class ProxyWatch {
  private readonly runtime: Runtime
  private readonly client: KeySource
  private readonly clients = new Map<string, Set<string> | 'warned'>()
  private untilSample = SAMPLE_EVERY

  constructor(runtime: Runtime) {
    this.runtime = runtime
    this.client = clientAddress({ trustedProxies: runtime.start.trustedProxies })
  }

  sample(head: RequestHead): void {
    if (--this.untilSample > 0) return
    this.untilSample = SAMPLE_EVERY
    const hop = head.header('x-forwarded-for')?.split(',').pop()?.trim()
    if (hop === undefined || hop.length > 64) return
    const peer = head.remoteAddress ?? 'unix'
    // The peer is a trusted proxy.
    if (this.client.of(head) === hop) return
    const seen = this.clients.get(peer) ?? new Set()
    if (seen === 'warned') return
    if (!this.clients.has(peer) && this.clients.size >= MAX_ADDRESSES) return
    seen.add(hop)
    this.clients.set(peer, seen.size < MANY_CLIENTS ? seen : 'warned')
    if (seen.size >= MANY_CLIENTS) this.warn(peer)
  }

  private warn(peer: string): void {
    const message = `${peer} forwards for many clients (X-Forwarded-For) and is not in trustedProxies: policies by client address treat these clients as one. If it is your proxy, add it to trustedProxies`
    this.runtime.send({ switchyard: 'notice', level: 'warn', message })
  }
}
