// What the acceptors of both transports share: a connection waits for its head, arrives, is refused and lingers, or is dropped.

import { beginsTls, RequestHead } from '@switchyard/routing'
import type { Owner, Owners } from '../owners.ts'
import { packTag } from '../tag.ts'
import { AcceptPause } from './accept-pause.ts'
import { type AcceptorListener, type AcceptorOptions, type Arrival, type BadHead, type HeadBounds, newAcceptorCounts } from './acceptor.ts'
import { HeadReader } from './head-reader.ts'
import { Lingering } from './lingering.ts'
import { type ListenerEntry, ListenerTable } from './listener-table.ts'
import { PendingHeads } from './pending-heads.ts'
import { type RefusalReason, refusalAlert, refusalAnswer } from './refusal.ts'

const SWEEP_MS = 100

export interface Descriptors {
  readonly limit: number
  /** The number of the next new descriptor. */
  readonly next: () => number
}

/** Knows the address of one client. */
export interface AddressSource {
  readonly remoteAddress?: string | undefined
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
  private sweeper: NodeJS.Timeout | undefined
  /** Has any client spoken TLS? */
  private hasTls = false

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

  refuse(fd: number, reason: RefusalReason, retryAfterS?: number): void {
    this.counts.refused[reason]++
    this.sendLast(fd, this.beginsTls(fd) ? refusalAlert(reason) : refusalAnswer(reason, retryAfterS))
  }

  respond(fd: number, response: Buffer): void {
    this.counts.answered++
    this.sendLast(fd, response)
  }

  /** A refusal is rare, so it asks the kernel. */
  private beginsTls(fd: number): boolean {
    return this.hasTls && beginsTls(this.bytesOf(fd))
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

  /** Decides by the bytes that have come. `ended`: the client sends no more. */
  protected examine(fd: number, listener: number, bytes: Buffer, length: number, ended: boolean): Arrival | undefined {
    const protocol = this.listeners.protocolOf(listener)
    if (protocol === 'tcp') return this.arrival(fd, packTag(listener, false), RequestHead.addressOnly())
    if (length === 0) return ended ? this.remove(fd) : this.wait(fd, listener)
    const head = this.heads.read(bytes, length)
    const state = this.heads.stateOf(head, ended, protocol)
    if (head.protocol === 'tls') this.hasTls = true
    switch (state) {
      case 'complete':
        return this.arrival(fd, packTag(listener, true), head)
      case 'by-address':
        if (head.ambiguous) this.reportBad(fd, 'unreadable', bytes)
        return this.arrival(fd, packTag(listener, false), protocol === 'tls' ? RequestHead.addressOnly() : head)
      case 'longer':
        this.reportBad(fd, 'unreadable', bytes)
        return this.arrival(fd, packTag(listener, false), RequestHead.addressOnly())
      case 'wait':
        return this.wait(fd, listener)
      case 'ended':
        return this.remove(fd)
      default:
        this.reportBad(fd, state, bytes)
        return this.refusePending(fd, state)
    }
  }

  protected arrival(fd: number, tag: number, head: RequestHead, carried?: Buffer): Arrival {
    this.forget(fd)
    head.setAddressSource(this.addressSource(fd))
    return { fd, tag, head, carried, source: 'client' }
  }

  /** `bytes`: what came of the head. A connection that never sent anything has no head; browsers open such connections ahead of need. */
  protected reportBad(fd: number, reason: BadHead['reason'], bytes: Buffer): void {
    if (bytes.length === 0) return
    const { maxHeadBytes } = this.heads
    this.options.onBadHead?.({ reason, address: this.addressSource(fd).remoteAddress, bytes, maxHeadBytes })
  }

  /** Adds a connection to those that wait for their head. False: it is refused. */
  protected addPending(fd: number, listener: number, address: string, sinceMs: number): boolean {
    const refusal = this.pendingHeads.refusal(address)
    if (refusal !== undefined) {
      this.refuse(fd, refusal)
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
  }

  private refusePending(fd: number, reason: RefusalReason): undefined {
    this.forget(fd)
    this.refuse(fd, reason)
  }

  private sweep(): void {
    const now = performance.now()
    const isNeeded = this.sweepOwn(now)
    for (const fd of this.pendingHeads.expired(now)) {
      this.reportBad(fd, 'head-timeout', this.bytesOf(fd))
      this.refusePending(fd, 'head-timeout')
    }
    for (const fd of this.lingering.expired(now)) this.endLingering(fd)
    if (isNeeded || this.pendingHeads.size > 0 || this.lingering.size > 0) return
    clearInterval(this.sweeper)
    this.sweeper = undefined
  }
}
