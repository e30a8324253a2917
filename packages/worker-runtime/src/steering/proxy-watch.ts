// Detects a proxy that is not in `trustedProxies`: one address that forwards for many clients, which policies then see as one client.

import { clientAddress, type KeySource, type RequestHead } from '@switchyard/routing'
import type { Runtime } from '../runtime.ts'

/** A proxy sends mostly later requests of kept-alive connections. One in this many is examined. */
const SAMPLE_EVERY = 16
const MANY_CLIENTS = 8
const MAX_ADDRESSES = 16
/** Clients that are told apart. */
const MAX_CLIENTS = 64

/** Told of each address that forwards for many clients. */
export interface ProxyObserver {
  recordProxy(address: string, clients: number): void
}

/** Remembers at most 16 addresses with 64 clients each, and warns once per address. */
export class ProxyWatch {
  private readonly runtime: Runtime
  private readonly client: KeySource
  private readonly observer: ProxyObserver | undefined
  private readonly clients = new Map<string, Set<string>>()
  private untilSample = SAMPLE_EVERY

  constructor(runtime: Runtime, observer?: ProxyObserver) {
    this.runtime = runtime
    this.observer = observer
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
    if (seen.size >= MAX_CLIENTS || seen.has(hop)) return
    if (!this.clients.has(peer) && this.clients.size >= MAX_ADDRESSES) return
    this.clients.set(peer, seen.add(hop))
    if (seen.size === MANY_CLIENTS) this.warn(peer)
    if (seen.size >= MANY_CLIENTS) this.observer?.recordProxy(peer, seen.size)
  }

  private warn(peer: string): void {
    const message = `${peer} forwards for many clients (X-Forwarded-For) and is not in trustedProxies: policies by client address treat these clients as one. If it is your proxy, add it to trustedProxies`
    this.runtime.send({ switchyard: 'notice', level: 'warn', message })
  }
}
