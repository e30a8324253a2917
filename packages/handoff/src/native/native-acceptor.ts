// The door over the native module: a connection is a descriptor and a row, and its bytes stay in the kernel.

import { RequestHead } from '@switchyard/routing'
import {
  type Acceptor,
  type AcceptorOptions,
  type Arrival,
  type HandOverListener,
  type HeadBounds,
  newAcceptorCounts,
  nextListenerNumber,
} from '../acceptor/acceptor.ts'
import { headState } from '../acceptor/first-look.ts'
import { type BoundListener, DEFER_SECONDS, type InheritedListener, type ListenerAddress, listen } from '../acceptor/listener.ts'
import { PendingHeads } from '../acceptor/pending-heads.ts'
import { type RefusalReason, refusalAnswer } from '../acceptor/refusal.ts'
import { Resting } from '../acceptor/resting.ts'
import type { Connection } from '../channel.ts'
import { type Native, native, owners } from '../native-module.ts'
import type { Owner } from '../owners.ts'
import { listenerOf, packTag } from '../tag.ts'

const RECORD_INTS = 4
const RECORDS = 64
const BUFFER_BYTES = 1 << 20
const BUFFER_HEADS = 4
const WOKEN = -1
const BROKEN = -2
const LINGERED = -3
const LEFT = -4
const SWEEP_MS = 100
const PAUSE_MS = 50

interface Listener {
  peek: boolean
  /** undefined: it is closed, or another process has it. */
  fd: number | undefined
  isAdmitted: boolean
}

/** Asks the kernel for the address of a client, when somebody wants it. */
class Peer {
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

/** There can be one in a process. */
export class NativeAcceptor implements Acceptor {
  readonly counts = newAcceptorCounts()
  private readonly options: AcceptorOptions
  private readonly native: Native = native()
  private readonly records = new Int32Array(RECORDS * RECORD_INTS)
  private bytes: Buffer
  private spare: Buffer
  private maxHeadBytes: number
  private passesLonger: boolean
  private readonly listeners = new Map<number, Listener>()
  private lastNumber = -1
  private readonly pendingHeads: PendingHeads
  // In order of time, so that a sweep stops at the first that is young enough.
  private readonly lingering = new Map<number, number>()
  private readonly resting: Resting
  private readonly lastDescriptor: number
  private sweeper: NodeJS.Timeout | undefined
  private accepting = false
  private isClosed = false
  private paused: NodeJS.Timeout | undefined

  constructor(options: AcceptorOptions) {
    this.options = options
    this.resting = new Resting(options.maxResting)
    this.pendingHeads = new PendingHeads(options)
    this.lastDescriptor = Math.floor(this.native.descriptorLimit() * options.descriptorShare)
    this.maxHeadBytes = options.maxHeadBytes
    this.passesLonger = options.passesLonger === true
    const { bytes, spare } = buffersFor(options.maxHeadBytes)
    this.bytes = bytes
    this.spare = spare
    this.native.openAcceptor(this.records, bytes, spare.length, this.lastDescriptor, this, this.onBatch)
  }

  async listen(address: ListenerAddress, inherited?: InheritedListener): Promise<BoundListener> {
    const { fd, ...bound } = await listen(address, inherited)
    this.throwIfClosed(fd)
    const peek = address.peek ?? true
    const number = this.addListener(peek, fd)
    try {
      this.native.addListener(fd, number, peek, inherited !== undefined)
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
    this.native.addListener(fd, number, listener.peek, false)
    if (listener.isAdmitted) this.acceptOn(number)
  }

  /** The door was closed while the address was looked up. */
  private throwIfClosed(fd: number): void {
    if (!this.isClosed) return
    this.native.closeDescriptor(fd)
    throw Object.assign(new Error('ECANCELED: the door is closed'), { code: 'ECANCELED' })
  }

  addForeign(peek: boolean): number {
    return this.addListener(peek, undefined)
  }

  private addListener(peek: boolean, fd: number | undefined): number {
    this.lastNumber = nextListenerNumber(this.lastNumber, this.listeners)
    this.listeners.set(this.lastNumber, { peek, fd, isAdmitted: false })
    return this.lastNumber
  }

  get listening(): { number: number; fd: number }[] {
    return [...this.listeners].flatMap(([number, { fd }]) => (fd === undefined ? [] : [{ number, fd }]))
  }

  get peeks(): Record<number, boolean> {
    return Object.fromEntries([...this.listeners].map(([number, { peek }]) => [number, peek]))
  }

  accept(): void {
    this.accepting = true
    for (const number of this.listeners.keys()) this.acceptOn(number)
    this.native.resumeListeners()
  }

  allowHeads({ maxHeadBytes, passesLonger = false }: HeadBounds): void {
    this.passesLonger ||= passesLonger
    if (maxHeadBytes <= this.maxHeadBytes) return
    this.maxHeadBytes = maxHeadBytes
    const { bytes, spare } = buffersFor(maxHeadBytes)
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

  setPeek(number: number, peek: boolean): void {
    const listener = this.listeners.get(number)
    if (listener === undefined || listener.peek === peek) return
    listener.peek = peek
    this.native.setPeek(number, peek, peek ? DEFER_SECONDS : 0)
  }

  closeListener(number: number): void {
    if (this.listeners.delete(number)) this.native.closeListener(number)
  }

  get isAccepting(): boolean {
    return this.accepting
  }

  closeListeners(): void {
    clearInterval(this.paused)
    this.accepting = false
    for (const listener of this.listeners.values()) listener.fd = undefined
    this.native.closeListeners()
  }

  get restingCount(): number {
    return this.resting.size
  }

  rest({ fd, tag }: Connection, timeoutMs: number | undefined): void {
    this.counts.givenBack++
    if (!this.native.watch(fd)) return this.drop(fd)
    owners?.move(fd, 'dispatcher', 'resting')
    const evicted = this.resting.add(fd, tag, timeoutMs === undefined ? undefined : performance.now() + timeoutMs)
    // Descriptors run short: whoever has been idle for longest goes.
    const gone = evicted ?? (fd >= this.lastDescriptor ? this.resting.removeOldest() : undefined)
    if (gone !== undefined) this.endRest(gone)
    this.startSweeper()
  }

  closeResting(): void {
    for (const { fd } of this.resting.removeAll()) this.endRest(fd)
  }

  handOver({ onPending: onUnrouted, onResting }: HandOverListener): void {
    const now = performance.now()
    for (const { fd, tag, untilMs } of this.resting.removeAll()) {
      this.native.unwatch(fd)
      owners?.move(fd, 'resting', 'dispatcher')
      onResting({ fd, tag, carried: undefined }, untilMs === Number.POSITIVE_INFINITY ? undefined : Math.max(1, untilMs - now))
    }
    for (const fd of [...this.pendingHeads.keys()]) {
      const listener = this.pendingHeads.listenerOf(fd) as number
      this.forget(fd)
      onUnrouted({ fd, tag: packTag(listener, false), carried: undefined })
    }
  }

  close(): void {
    this.isClosed = true
    this.closeListeners()
    this.closeResting()
    clearInterval(this.sweeper)
    for (const fd of this.pendingHeads.keys()) this.end(fd, 'head')
    for (const fd of this.lingering.keys()) this.end(fd, 'lingering')
    this.counts.closed += this.pendingHeads.size
    this.counts.waiting = this.counts.lingering = 0
    this.pendingHeads.clear()
    this.lingering.clear()
    this.native.closeAcceptor()
  }

  receiveBack(connection: Connection): Arrival | undefined {
    const { fd, tag, carried } = connection
    this.counts.givenBack++
    return carried === undefined ? this.readmit(connection) : this.examineCarried(fd, listenerOf(tag), carried)
  }

  readmit({ fd, tag, carried }: Connection): Arrival | undefined {
    const length = this.native.peek(fd)
    const listener = listenerOf(tag)
    if (length < 0 && (carried === undefined || length === BROKEN)) return this.remove(fd)
    return carried === undefined ? this.examine(fd, listener, this.spare, length, false) : this.examineCarried(fd, listener, carried)
  }

  private examineCarried(fd: number, listener: number, carried: Buffer): Arrival | undefined {
    const head = RequestHead.read(carried, carried.length, this.maxHeadBytes)
    if (head.outcome === 'complete' && !head.hasManyHosts) return this.arrival(fd, packTag(listener, !head.ambiguous), head, carried)
    if (head.hasManyHosts) this.refuse(fd, 'ambiguous-head')
    else this.refuse(fd, head.outcome === 'too-large' ? 'head-too-large' : 'not-http')
    return undefined
  }

  refuse(fd: number, reason: RefusalReason, retryAfterS?: number): void {
    this.counts.refused[reason]++
    if (this.native.refuse(fd, refusalAnswer(reason, retryAfterS))) {
      owners?.move(fd, 'dispatcher', 'lingering')
      this.lingering.set(fd, performance.now())
      this.counts.lingering++
      this.startSweeper()
    } else {
      this.end(fd, 'dispatcher')
    }
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

  drop(fd: number): void {
    this.counts.closed++
    this.end(fd, 'dispatcher')
  }

  private end(fd: number, owner: Owner): void {
    owners?.move(fd, owner, 'none')
    this.native.closeDescriptor(fd)
  }

  private readonly onBatch = (count: number, failure: number): void => {
    const { records } = this
    let highest = 0
    for (let at = 0; at < count * RECORD_INTS; at += RECORD_INTS) {
      const fd = records[at] as number
      const origin = records[at + 1] as number
      const offset = records[at + 2] as number
      const length = records[at + 3] as number
      if (origin >= 0) {
        owners?.move(fd, 'none', 'dispatcher')
        this.counts.accepted++
        if (fd > highest) highest = fd
        if (length < 0) this.drop(fd)
        else this.arrive(this.examine(fd, origin, this.bytes.subarray(offset, offset + length), length, false))
      } else if (origin === LINGERED) {
        this.endLingering(fd)
      } else if (origin === LEFT) {
        this.options.onHangUp(fd)
      } else {
        this.arrive(this.examineAgain(fd, this.bytes.subarray(offset, offset + length), length, origin !== WOKEN))
      }
    }
    this.options.onBatchEnd()
    if (highest >= this.lastDescriptor || failure !== 0) this.pause(failure)
  }

  private arrive(arrival: Arrival | undefined): void {
    if (arrival !== undefined) this.options.onArrival(arrival)
  }

  private examineAgain(fd: number, bytes: Buffer, length: number, ended: boolean): Arrival | undefined {
    const tag = this.resting.remove(fd)
    if (tag !== undefined) {
      this.native.unwatch(fd)
      owners?.move(fd, 'resting', 'dispatcher')
      return this.examine(fd, listenerOf(tag), bytes, length, ended)
    }
    const listener = this.pendingHeads.listenerOf(fd)
    return listener === undefined ? undefined : this.examine(fd, listener, bytes, length, ended)
  }

  /** One look at what has come so far. `ended`: the client will send no more. */
  private examine(fd: number, listener: number, bytes: Buffer, length: number, ended: boolean): Arrival | undefined {
    if (this.listeners.get(listener)?.peek !== true) return this.arrival(fd, packTag(listener, false), RequestHead.addressOnly())
    if (length === 0) return ended ? this.remove(fd) : this.wait(fd, listener)
    const head = RequestHead.read(bytes, length, this.maxHeadBytes)
    const readHead = headState(head, ended)
    if (readHead === 'head' || readHead === 'protocol') return this.arrival(fd, packTag(listener, readHead === 'head'), head)
    if (readHead === 'head-too-large' && this.passesLonger) return this.arrival(fd, packTag(listener, false), RequestHead.addressOnly())
    if (readHead === 'wait') return this.wait(fd, listener)
    if (readHead === 'leave') return this.remove(fd)
    return this.refusePending(fd, readHead)
  }

  private arrival(fd: number, tag: number, head: RequestHead, carried?: Buffer): Arrival {
    this.forget(fd)
    head.setAddressSource(new Peer(this.native, fd))
    return { fd, tag, head, carried }
  }

  private wait(fd: number, listener: number): undefined {
    if (this.pendingHeads.has(fd)) return
    const address = this.native.peerAddress(fd) ?? ''
    const refusal = this.pendingHeads.refusal(address)
    if (refusal !== undefined) this.refuse(fd, refusal)
    else if (!this.native.watch(fd)) this.drop(fd)
    else {
      owners?.move(fd, 'dispatcher', 'head')
      this.pendingHeads.add(fd, listener, address, performance.now())
      this.counts.waiting++
      this.startSweeper()
    }
  }

  private refusePending(fd: number, reason: RefusalReason): undefined {
    this.forget(fd)
    this.refuse(fd, reason)
  }

  private remove(fd: number): undefined {
    this.forget(fd)
    this.drop(fd)
  }

  private forget(fd: number): void {
    if (!this.pendingHeads.delete(fd)) return
    owners?.move(fd, 'head', 'dispatcher')
    this.native.unwatch(fd)
    this.counts.waiting--
  }

  private endRest(fd: number): void {
    this.native.unwatch(fd)
    owners?.move(fd, 'resting', 'dispatcher')
    this.drop(fd)
  }

  private endLingering(fd: number): void {
    if (!this.lingering.delete(fd)) return
    this.counts.lingering--
    this.end(fd, 'lingering')
  }

  private startSweeper(): void {
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS)
  }

  private sweep(): void {
    const now = performance.now()
    for (const fd of this.pendingHeads.expired(now)) this.refusePending(fd, 'head-timeout')
    for (const [fd, since] of this.lingering) {
      if (now - since < this.options.lingerTimeoutMs) break
      this.endLingering(fd)
    }
    for (const { fd } of this.resting.removeExpired(now)) this.endRest(fd)
    if (this.pendingHeads.size === 0 && this.lingering.size === 0 && this.resting.size === 0) {
      clearInterval(this.sweeper)
      this.sweeper = undefined
    }
  }

  private pause(failure: number): void {
    if (this.paused !== undefined || !this.accepting) return
    const said = failure !== 0 ? `accept failed with errno ${failure}` : `${this.lastDescriptor} descriptors are in use`
    this.native.pauseListeners()
    this.options.onPause?.(said)
    this.paused = setInterval(() => {
      if (this.native.nextDescriptor() >= this.lastDescriptor) return
      clearInterval(this.paused)
      this.paused = undefined
      this.options.onPause?.(undefined)
      this.native.resumeListeners()
    }, PAUSE_MS)
  }
}

/** What heads are peeked into: batches, and one at a time. One byte more than a head may have tells *too large* from *just fits*. */
function buffersFor(maxHeadBytes: number): { bytes: Buffer; spare: Buffer } {
  const headBytes = maxHeadBytes + 1
  const bytes = Buffer.alloc(Math.max(BUFFER_BYTES, BUFFER_HEADS * headBytes))
  return { bytes, spare: bytes.subarray(bytes.length - headBytes) }
}
