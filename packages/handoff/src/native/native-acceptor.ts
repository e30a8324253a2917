// The acceptor over the native module: a connection is a descriptor and a row, and its bytes stay in the kernel.

import type { Acceptor, AcceptorOptions, Arrival, ArrivalSource, HandOverListener, HeadBounds } from '../acceptor/acceptor.ts'
import { type AddressSource, BaseAcceptor, type FirstBytes } from '../acceptor/base-acceptor.ts'
import { type BoundListener, DEFER_SECONDS, type InheritedListener, type ListenerAddress, listen } from '../acceptor/listener.ts'
import type { ListenerEntry } from '../acceptor/listener-table.ts'
import { Resting } from '../acceptor/resting.ts'
import type { Connection } from '../channel.ts'
import { nativeCodes } from '../load/shared-page.ts'
import { type Native, native, owners } from '../native-module.ts'
import { MAX_PROXY_HEADER_BYTES } from '../proxied-client.ts'
import { listenerOf, packTag } from '../tag.ts'

const RECORD_INTS = nativeCodes.recordInts
const RECORDS = 64
const BUFFER_BYTES = 1 << 20
const BUFFER_HEADS = 4

interface Listener extends ListenerEntry {
  /** undefined: it is closed, or belongs to another process. */
  fd: number | undefined
}

/** Asks the kernel for a client's address when it is needed. */
class Peer implements AddressSource {
  private readonly native: Native
  private readonly fd: number

  constructor(native: Native, fd: number) {
    this.native = native
    this.fd = fd
  }

  get remoteAddress(): string | undefined {
    return this.native.peerAddress(this.fd)
  }
}

export class NativeAcceptor extends BaseAcceptor<Listener> implements Acceptor {
  private readonly native: Native
  private readonly records = new Int32Array(RECORDS * RECORD_INTS)
  private bytes: Buffer
  private spare: Buffer
  private readonly resting: Resting
  private keepsResting = true
  private isClosed = false

  constructor(options: AcceptorOptions) {
    const module = native()
    super(options, owners, { limit: module.descriptorLimit(), next: () => module.nextDescriptor() })
    this.native = module
    this.resting = new Resting(options.maxResting)
    const { bytes, spare } = buffersFor(options.maxHeadBytes)
    this.bytes = bytes
    this.spare = spare
    module.openAcceptor(this.records, bytes, spare.length, this.lastDescriptor, this, this.onBatch)
  }

  async listen(address: ListenerAddress, inherited?: InheritedListener): Promise<BoundListener> {
    const proxy = address.proxyProtocol && (await this.readerFor(address.proxyProtocol))
    const { fd, ...bound } = await listen(address, inherited)
    this.throwIfClosed(fd)
    const peek = address.peek ?? true
    const number = this.listeners.add({ peek, protocol: address.protocol, fd, isAdmitted: false, proxy })
    try {
      this.native.addListener(fd, number, peek || proxy !== undefined, inherited !== undefined)
    } catch (error) {
      this.listeners.delete(number)
      this.native.closeDescriptor(fd)
      throw error
    }
    return { ...bound, number }
  }

  async relisten(number: number, address: ListenerAddress & { readonly path: string }): Promise<void> {
    const { fd } = await listen(address)
    this.throwIfClosed(fd)
    const listener = this.listeners.get(number)
    if (listener === undefined) return this.native.closeDescriptor(fd)
    this.native.closeListener(number)
    listener.fd = fd
    this.native.addListener(fd, number, listener.peek || listener.proxy !== undefined, false)
    if (listener.isAdmitted) this.acceptOn(number)
  }

  /** For an acceptor that was closed while the address was looked up. */
  private throwIfClosed(fd: number): void {
    if (!this.isClosed) return
    this.native.closeDescriptor(fd)
    throw Object.assign(new Error('ECANCELED: the acceptor is closed'), { code: 'ECANCELED' })
  }

  addForeign(peek: boolean): number {
    return this.listeners.add({ peek, fd: undefined, isAdmitted: false, proxy: undefined })
  }

  get listening(): { number: number; fd: number }[] {
    return this.listeners.all.flatMap(([number, { fd }]) => (fd === undefined ? [] : [{ number, fd }]))
  }

  accept(): void {
    this.accepting = true
    for (const number of this.listeners.numbers) this.acceptOn(number)
    this.native.resumeListeners()
  }

  override allowHeads(bounds: HeadBounds): void {
    if (this.heads.allow(bounds)) this.resize()
  }

  /** Headers of the PROXY protocol must fit where heads do. */
  protected override onProxyExpected(): void {
    this.resize()
  }

  private resize(): void {
    const { maxHeadBytes } = this.heads
    const { bytes, spare } = buffersFor(this.expectsProxies ? Math.max(maxHeadBytes, MAX_PROXY_HEADER_BYTES) : maxHeadBytes)
    this.native.resizeAcceptor(bytes, spare.length)
    this.bytes = bytes
    this.spare = spare
  }

  acceptOn(number: number): void {
    const listener = this.listeners.get(number)
    if (listener === undefined) return
    listener.isAdmitted = true
    this.native.admitOn(number)
  }

  override setPeek(number: number, peek: boolean): void {
    if (!this.listeners.setPeek(number, peek)) return
    const needsBytes = peek || this.listeners.get(number)?.proxy !== undefined
    this.native.setPeek(number, needsBytes, needsBytes ? DEFER_SECONDS : 0)
  }

  closeListener(number: number): void {
    if (this.listeners.delete(number)) this.native.closeListener(number)
  }

  closeListeners(): void {
    this.pause.stop()
    this.accepting = false
    for (const [, listener] of this.listeners.all) listener.fd = undefined
    this.native.closeListeners()
  }

  get restingCount(): number {
    return this.resting.size
  }

  rest(connection: Connection, timeoutMs: number | undefined): void {
    const { fd } = connection
    this.counts.givenBack++
    if (!this.native.watch(fd)) return this.drop(fd)
    owners?.move(fd, 'dispatcher', 'resting')
    const evicted = this.resting.add(connection, timeoutMs === undefined ? undefined : performance.now() + timeoutMs)
    // When descriptors run short, the connection that has rested longest is closed.
    const surplus = evicted ?? (fd >= this.lastDescriptor ? this.resting.removeOldest() : undefined)
    if (surplus !== undefined) this.endRest(surplus)
    if (!this.keepsResting) this.closeResting()
    this.startSweeper()
  }

  closeResting(): void {
    this.keepsResting = false
    for (const { fd } of this.resting.removeAll()) this.endRest(fd)
  }

  handOver({ onPending, onResting }: HandOverListener): void {
    const now = performance.now()
    for (const { fd, tag, proxied, untilMs } of this.resting.removeAll()) {
      this.wake(fd)
      onResting({ fd, tag, carried: undefined, proxied }, untilMs === Number.POSITIVE_INFINITY ? undefined : Math.max(1, untilMs - now))
    }
    for (const fd of [...this.pendingHeads.keys()]) {
      const listener = this.pendingHeads.listenerOf(fd) as number
      const proxied = this.proxied.get(fd)
      this.forget(fd)
      const expectsProxy = proxied === undefined && this.listeners.get(listener)?.proxy !== undefined
      onPending({ fd, tag: packTag(listener, false), carried: undefined, proxied: proxied ?? undefined }, expectsProxy)
    }
  }

  close(): void {
    this.isClosed = true
    this.closeListeners()
    this.closeResting()
    this.closeWaiting()
    this.native.closeAcceptor()
  }

  receiveBack(connection: Connection, expectsProxy = false): Arrival | undefined {
    const { carried } = connection
    this.counts.givenBack++
    return from('given-back', carried === undefined ? this.readmit(connection, expectsProxy) : this.examineCarried(connection, carried))
  }

  readmit(connection: Connection, expectsProxy = false): Arrival | undefined {
    const { fd, tag, carried, proxied } = connection
    const length = this.native.peek(fd)
    const listener = listenerOf(tag)
    if (length < 0 && (carried === undefined || length === nativeCodes.peekBroken)) return this.remove(fd)
    if (carried !== undefined) return this.examineCarried(connection, carried)
    return expectsProxy
      ? this.examineNew(fd, listener, this.spare, length, false)
      : this.examine(fd, listener, this.spare, length, false, proxied)
  }

  private examineCarried({ fd, tag, proxied }: Connection, carried: Buffer): Arrival | undefined {
    const head = this.heads.read(carried, carried.length)
    const isWhole = head.outcome === 'complete' && !head.hasManyHosts
    if (isWhole) return this.arrival(fd, packTag(listenerOf(tag), !head.ambiguous), head, carried, proxied)
    const reason = head.hasManyHosts ? 'ambiguous-head' : head.outcome === 'too-large' ? 'head-too-large' : 'not-http'
    this.reportBad(fd, listenerOf(tag), reason, carried, proxied)
    this.refuse(fd, reason)
    return undefined
  }

  watchHangUp(fd: number): void {
    this.native.watchHangUp(fd)
  }

  unwatchHangUp(fd: number): void {
    this.native.unwatch(fd)
  }

  holdOff(ms: number): void {
    this.native.holdOffArrivals(ms)
  }

  protected closeConnection(fd: number): void {
    this.native.closeDescriptor(fd)
  }

  protected answer(fd: number, bytes: Buffer): boolean {
    return this.native.refuse(fd, bytes)
  }

  protected addressSource(fd: number): AddressSource {
    return new Peer(this.native, fd)
  }

  protected bytesOf(fd: number): Buffer {
    return this.spare.subarray(0, Math.max(0, this.native.peek(fd)))
  }

  protected removeHeader(fd: number, byteLength: number, ended: boolean): FirstBytes | undefined {
    this.native.discard(fd, byteLength)
    const length = this.native.peek(fd)
    if (length === nativeCodes.peekBroken) return undefined
    return { bytes: this.spare, length: Math.max(0, length), ended: ended || length < 0 }
  }

  protected wait(fd: number, listener: number): undefined {
    if (this.pendingHeads.has(fd)) return
    const isPending = this.addPending(fd, listener, this.pendingAddress(fd, listener), performance.now())
    if (isPending && !this.native.watch(fd)) this.remove(fd)
  }

  protected removePending(fd: number): boolean {
    if (!this.pendingHeads.delete(fd)) return false
    this.native.unwatch(fd)
    return true
  }

  protected sweepOwn(nowMs: number): boolean {
    for (const { fd } of this.resting.removeExpired(nowMs)) this.endRest(fd)
    return this.resting.size > 0
  }

  private readonly onBatch = (count: number, failure: number): void => {
    const { records } = this
    let highest = 0
    for (let at = 0; at < count * RECORD_INTS; at += RECORD_INTS) {
      const fd = records[at] as number
      const code = records[at + 1] as number
      const offset = records[at + 2] as number
      const length = records[at + 3] as number
      if (code >= 0) {
        owners?.move(fd, 'none', 'dispatcher')
        this.counts.accepted++
        if (fd > highest) highest = fd
        if (length < 0) this.drop(fd)
        else this.arrive(this.examineNew(fd, code, this.bytes.subarray(offset, offset + length), length, false))
      } else if (code === nativeCodes.lingered) {
        this.endLingering(fd)
      } else if (code === nativeCodes.hungUp) {
        this.listener.onHangUp(fd)
      } else {
        this.arrive(this.examineAgain(fd, this.bytes.subarray(offset, offset + length), length, code !== nativeCodes.woken))
      }
    }
    this.listener.onBatchEnd()
    if (highest >= this.lastDescriptor || failure !== 0) this.pauseAccepting(failure)
  }

  private examineAgain(fd: number, bytes: Buffer, length: number, ended: boolean): Arrival | undefined {
    const rested = this.resting.remove(fd)
    if (rested !== undefined) {
      this.wake(fd)
      return from('rested', this.examine(fd, listenerOf(rested.tag), bytes, length, ended, rested.proxied))
    }
    const listener = this.pendingHeads.listenerOf(fd)
    return listener === undefined ? undefined : this.examineNew(fd, listener, bytes, length, ended)
  }

  private endRest(fd: number): void {
    this.wake(fd)
    this.drop(fd)
  }

  /** The connection rests no more. */
  private wake(fd: number): void {
    this.native.unwatch(fd)
    owners?.move(fd, 'resting', 'dispatcher')
  }

  private pauseAccepting(failure: number): void {
    if (!this.accepting || this.pause.isPaused) return
    this.native.pauseListeners()
    this.pause.start(failure === 0 ? undefined : failure, () => this.native.resumeListeners())
  }
}

function from(source: ArrivalSource, arrival: Arrival | undefined): Arrival | undefined {
  if (arrival !== undefined) arrival.source = source
  return arrival
}

/**
 * The buffer for batches, whose end is for a single head. One byte more than the bound tells a head that is too long from one that just
 * fits.
 */
function buffersFor(maxHeadBytes: number): { bytes: Buffer; spare: Buffer } {
  const headBytes = maxHeadBytes + 1
  const bytes = Buffer.alloc(Math.max(BUFFER_BYTES, BUFFER_HEADS * headBytes))
  return { bytes, spare: bytes.subarray(bytes.length - headBytes) }
}
