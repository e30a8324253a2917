// What the acceptors of both transports share: a connection waits for its head, arrives, is refused and lingers, or is dropped.

import { beginsHttp2, beginsTls, type ListenerProtocol, RequestHead } from '@switchyard/routing'
import type { Owner, Owners } from '../owners.ts'
import type { ProxiedClient } from '../proxied-client.ts'
import { packTag } from '../tag.ts'
import { AcceptPause } from './accept-pause.ts'
import { type AcceptorListener, type AcceptorOptions, type Arrival, type BadHead, type HeadBounds, newAcceptorCounts } from './acceptor.ts'
import { HeadReader } from './head-reader.ts'
import { Lingering } from './lingering.ts'
import type { ProxyProtocolOptions } from './listener.ts'
import { type ListenerEntry, ListenerTable } from './listener-table.ts'
import { PendingHeads } from './pending-heads.ts'
import type { ProxyReader } from './proxy-reader.ts'
import { type RefusalReason, refusalAlert, refusalAnswer, refusalGoaway } from './refusal.ts'

const SWEEP_MS = 100
const NOTHING = Buffer.alloc(0)

export interface Descriptors {
  readonly limit: number
  /** The number of the next new descriptor. */
  readonly next: () => number
}

/** Knows the address of one client. */
export interface AddressSource {
  readonly remoteAddress?: string | undefined
}

/** The first bytes of a connection that are not removed. */
export interface FirstBytes {
  readonly bytes: Buffer
  readonly length: number
  /** The client sends no more. */
  readonly ended: boolean
}

export abstract class BaseAcceptor<Entry extends ListenerEntry> {
  readonly counts = newAcceptorCounts()
  protected readonly options: AcceptorOptions
  protected listener!: AcceptorListener
  protected readonly owners: Owners | undefined
  protected readonly listeners = new ListenerTable<Entry>()
  protected readonly heads: HeadReader
  protected readonly pendingHeads: PendingHeads
  protected readonly lingering: Lingering
  /** Accepting pauses from this descriptor on. */
  protected readonly lastDescriptor: number
  protected readonly pause: AcceptPause
  protected accepting = false
  /** Does a listener expect headers of the PROXY protocol? */
  protected expectsProxies = false
  /** Of the connections that wait for their head, those whose PROXY header is read, or that have none (null). Only where one may come. */
  protected readonly proxied = new Map<number, ProxiedClient | null>()
  private sweeper: NodeJS.Timeout | undefined
  /** Has any client spoken TLS? */
  private hasTls = false
  private hasHttp2 = false

  constructor(options: AcceptorOptions, owners: Owners | undefined, { limit, next }: Descriptors) {
    this.options = options
    this.owners = owners
    this.heads = new HeadReader(options)
    this.pendingHeads = new PendingHeads(options)
    this.lingering = new Lingering(options.lingerTimeoutMs)
    this.lastDescriptor = Math.floor(limit * options.descriptorShare)
    this.pause = new AcceptPause({ lastDescriptor: this.lastDescriptor, nextDescriptor: next, onPause: options.onPause })
  }

  /** Closes this process's descriptor of a connection. */
  protected abstract closeConnection(fd: number): void
  /** Sends a last answer. False: the connection cannot take it. */
  protected abstract answer(fd: number, bytes: Buffer): boolean
  protected abstract addressSource(fd: number): AddressSource
  /** What has come of an incomplete head, valid until the next call. */
  protected abstract bytesOf(fd: number): Buffer
  /** Removes a header from the start of a connection. undefined: the connection is broken. */
  protected abstract removeHeader(fd: number, byteLength: number, ended: boolean): FirstBytes | undefined
  /** Keeps a connection whose head is incomplete, or refuses it. */
  protected abstract wait(fd: number, listener: number): undefined
  /** Removes a connection from those that wait for their head. False: it is none of them. */
  protected abstract removePending(fd: number): boolean
  /** The transport's own part of a sweep. Returns whether it needs the next one. */
  protected abstract sweepOwn(nowMs: number): boolean

  start(listener: AcceptorListener): void {
    this.listener = listener
  }

  get isAccepting(): boolean {
    return this.accepting
  }

  get peeks(): Record<number, boolean> {
    return this.listeners.peeks
  }

  allowHeads(bounds: HeadBounds): void {
    this.heads.allow(bounds)
  }

  setPeek(number: number, peek: boolean): void {
    this.listeners.setPeek(number, peek)
  }

  setServed(number: number, served: ListenerProtocol | undefined): void {
    this.listeners.setServed(number, served)
  }

  refuse(fd: number, reason: RefusalReason, retryAfterS?: number): void {
    this.counts.refused[reason]++
    // A refusal is rare, so it asks the kernel.
    const bytes = this.hasTls || this.hasHttp2 ? this.bytesOf(fd) : NOTHING
    if (beginsTls(bytes)) this.sendLast(fd, refusalAlert(reason))
    else this.sendLast(fd, beginsHttp2(bytes) ? refusalGoaway(reason) : refusalAnswer(reason, retryAfterS))
  }

  respond(fd: number, response: Buffer): void {
    this.counts.answered++
    this.sendLast(fd, response)
  }

  private sendLast(fd: number, response: Buffer): void {
    if (!this.answer(fd, response)) return this.end(fd, 'dispatcher')
    this.owners?.move(fd, 'dispatcher', 'lingering')
    this.lingering.add(fd, performance.now())
    this.counts.lingering++
    this.startSweeper()
  }

  drop(fd: number): void {
    this.counts.closed++
    this.end(fd, 'dispatcher')
  }

  protected end(fd: number, owner: Owner): void {
    this.owners?.move(fd, owner, 'none')
    this.closeConnection(fd)
  }

  protected arrive(arrival: Arrival | undefined): void {
    if (arrival !== undefined) this.listener.onArrival(arrival)
  }

  /** The reader for a listener that expects headers of the PROXY protocol. */
  protected async readerFor(options: ProxyProtocolOptions): Promise<ProxyReader> {
    const { ProxyReader } = await import('./proxy-reader.ts')
    const reader = new ProxyReader(options)
    this.expectsProxies = true
    this.onProxyExpected()
    return reader
  }

  /** A listener expects headers of the PROXY protocol. */
  protected onProxyExpected(): void {}

  /** As `examine`, for a connection that no worker has had: the header of the PROXY protocol comes first, where its listener expects one. */
  protected examineNew(fd: number, listener: number, bytes: Buffer, length: number, ended: boolean): Arrival | undefined {
    const proxy = this.expectsProxies ? this.listeners.get(listener)?.proxy : undefined
    const known = this.proxied.get(fd)
    if (proxy === undefined || known !== undefined) return this.examine(fd, listener, bytes, length, ended, known ?? undefined)
    if (length === 0) return ended ? this.remove(fd) : this.wait(fd, listener)
    const { remoteAddress } = this.addressSource(fd)
    const outcome = proxy.read(bytes, length, remoteAddress)
    if (outcome === 'wait') return ended ? this.remove(fd) : this.wait(fd, listener)
    if (outcome === 'direct') return this.examine(fd, listener, bytes, length, ended)
    if (typeof outcome === 'string') {
      this.options.onBadProxyHeader?.(outcome, remoteAddress)
      this.reportBad(fd, listener, outcome, bytes.subarray(0, length))
      return this.refusePending(fd, outcome, listener)
    }
    const rest = this.removeHeader(fd, outcome.byteLength, ended)
    return rest === undefined ? this.remove(fd) : this.examine(fd, listener, rest.bytes, rest.length, rest.ended, outcome.client)
  }

  /** Decides by the bytes that have come. `ended`: the client sends no more. */
  protected examine(
    fd: number,
    listener: number,
    bytes: Buffer,
    length: number,
    ended: boolean,
    proxied?: ProxiedClient | undefined,
  ): Arrival | undefined {
    const protocol = this.listeners.protocolOf(listener)
    if (protocol === 'tcp') return this.arrival(fd, packTag(listener, false), RequestHead.addressOnly(), undefined, proxied)
    if (length === 0) return ended ? this.remove(fd) : this.waitForHead(fd, listener, proxied)
    const head = this.heads.read(bytes, length)
    const state = this.heads.stateOf(head, ended, protocol)
    if (head.protocol === 'tls') this.hasTls = true
    if (head.protocol === 'http/2') this.hasHttp2 = true
    switch (state) {
      case 'complete':
        return this.arrival(fd, packTag(listener, true), head, undefined, proxied)
      case 'by-address':
        if (head.ambiguous || isUnreadableHello(head, protocol))
          this.reportBad(fd, listener, 'unreadable', bytes.subarray(0, length), proxied)
        return this.arrival(fd, packTag(listener, false), protocol === 'tls' ? RequestHead.addressOnly() : head, undefined, proxied)
      case 'longer':
        this.reportBad(fd, listener, 'unreadable', bytes.subarray(0, length), proxied)
        return this.arrival(fd, packTag(listener, false), RequestHead.addressOnly(), undefined, proxied)
      case 'wait':
        return this.waitForHead(fd, listener, proxied)
      case 'ended':
        return this.remove(fd)
      default:
        this.reportBad(fd, listener, state, bytes.subarray(0, length), proxied)
        return state === 'not-http' && saysHttp2(head, protocol, bytes.subarray(0, length))
          ? this.refuseHttp2(fd, state)
          : this.refusePending(fd, state, listener)
    }
  }

  protected arrival(fd: number, tag: number, head: RequestHead, carried: Buffer | undefined, proxied: ProxiedClient | undefined): Arrival {
    this.forget(fd)
    head.setAddressSource(proxied ?? this.addressSource(fd))
    return { fd, tag, head, carried, proxied, source: 'client' }
  }

  /** From now on the connection waits under the address of its client. */
  private waitForHead(fd: number, listener: number, proxied: ProxiedClient | undefined): undefined {
    if ((proxied !== undefined || this.expectsProxies) && !this.proxied.has(fd)) {
      this.proxied.set(fd, proxied ?? null)
      const refusal = this.pendingHeads.readdress(fd, this.pendingAddress(fd, listener))
      if (refusal !== undefined) return this.refusePending(fd, refusal, listener)
    }
    return this.wait(fd, listener)
  }

  /** The address under which a connection waits. Proxies count as no address, because all of their clients would share it. */
  protected pendingAddress(fd: number, listener: number): string {
    const proxied = this.proxied.get(fd)
    const address = proxied?.remoteAddress ?? this.addressSource(fd).remoteAddress
    const proxy = this.expectsProxies && proxied === undefined ? this.listeners.get(listener)?.proxy : undefined
    return proxy?.trusts(address) === true ? '' : (address ?? '')
  }

  /** `bytes`: what came of the head. A connection that never sent anything has no head; browsers open such connections ahead of need. */
  protected reportBad(fd: number, listener: number, reason: BadHead['reason'], bytes: Buffer, proxied?: ProxiedClient | undefined): void {
    if (bytes.length === 0) return
    const { maxHeadBytes } = this.heads
    const address = (proxied ?? this.addressSource(fd)).remoteAddress
    this.options.onBadHead?.({ reason, address, bytes, maxHeadBytes, expected: this.listeners.protocolOf(listener) })
  }

  /** Adds a connection to those that wait for their head. False: it is refused. */
  protected addPending(fd: number, listener: number, address: string, sinceMs: number): boolean {
    const refusal = this.pendingHeads.refusal(address)
    if (refusal !== undefined) {
      this.proxied.delete(fd)
      this.refuseAt(listener, fd, refusal)
      return false
    }
    this.owners?.move(fd, 'dispatcher', 'head')
    this.pendingHeads.add(fd, listener, address, sinceMs)
    this.counts.waiting++
    this.startSweeper()
    return true
  }

  /** Closes a connection whose client has hung up. */
  protected remove(fd: number): undefined {
    this.forget(fd)
    this.drop(fd)
  }

  /** The connection no longer waits for its head. */
  protected forget(fd: number): void {
    if (this.proxied.size > 0) this.proxied.delete(fd)
    this.endWait(fd)
  }

  /** The same, for one that waits on elsewhere. */
  protected endWait(fd: number): void {
    if (!this.removePending(fd)) return
    this.owners?.move(fd, 'head', 'dispatcher')
    this.counts.waiting--
  }

  protected endLingering(fd: number): void {
    if (!this.lingering.delete(fd)) return
    this.counts.lingering--
    this.end(fd, 'lingering')
  }

  protected startSweeper(): void {
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS)
  }

  /** Closes the connections that wait or linger; call it last. */
  protected closeWaiting(): void {
    clearInterval(this.sweeper)
    for (const fd of this.pendingHeads.keys()) this.end(fd, 'head')
    for (const fd of this.lingering.removeAll()) this.end(fd, 'lingering')
    this.counts.closed += this.pendingHeads.size
    this.counts.waiting = this.counts.lingering = 0
    this.pendingHeads.clear()
    this.proxied.clear()
  }

  private refusePending(fd: number, reason: RefusalReason, listener: number): undefined {
    this.forget(fd)
    this.refuseAt(listener, fd, reason)
  }

  /** A faulty preface of HTTP/2. */
  private refuseHttp2(fd: number, reason: RefusalReason): undefined {
    this.forget(fd)
    this.counts.refused[reason]++
    this.sendLast(fd, refusalGoaway(reason))
  }

  /** Where heads are not peeked at, the client need not speak HTTP and gets no answer. */
  private refuseAt(listener: number, fd: number, reason: RefusalReason): void {
    if (this.listeners.protocolOf(listener) !== 'tcp') return this.refuse(fd, reason)
    this.counts.refused[reason]++
    this.end(fd, 'dispatcher')
  }

  private sweep(): void {
    const now = performance.now()
    const isNeeded = this.sweepOwn(now)
    for (const fd of this.pendingHeads.expired(now)) {
      const listener = this.pendingHeads.listenerOf(fd) as number
      this.reportBad(fd, listener, 'head-timeout', this.bytesOf(fd), this.proxied.get(fd) ?? undefined)
      this.refusePending(fd, 'head-timeout', listener)
    }
    for (const fd of this.lingering.expired(now)) this.endLingering(fd)
    if (isNeeded || this.pendingHeads.size > 0 || this.lingering.size > 0) return
    clearInterval(this.sweeper)
    this.sweeper = undefined
  }
}

/** Only a worker's TLS stack can judge what the client has sent instead of a ClientHello. */
function isUnreadableHello({ outcome, protocol: spoken }: RequestHead, protocol: ListenerProtocol): boolean {
  return spoken === 'tls' ? outcome === 'not-http' : protocol === 'tls'
}

/** On a listener of HTTP/2 a client of HTTP/1 or TLS gets an answer that it can read; any other is taken for one of HTTP/2. */
function saysHttp2({ protocol: spoken }: RequestHead, protocol: ListenerProtocol, bytes: Uint8Array): boolean {
  return (protocol === 'http2' && spoken === 'unknown') || beginsHttp2(bytes)
}
