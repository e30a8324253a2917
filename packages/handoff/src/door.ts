// The primary's door: listening sockets, and every connection from accept until it is handed off, refused or closed.
// Speaks from the primary's point of view. It knows heads and descriptors; whom a connection should go to is not its business.

import { RequestHead } from '@switchyard/routing'
import type { Connection } from './channel.ts'
import { type Native, native } from './native.ts'
import { type RefusalReason, refusalAnswer, refusals } from './refusal.ts'
import { Resting } from './resting.ts'
import { listenerOf, packTag } from './tag.ts'

const RECORD_INTS = 4
const RECORDS = 64
const BUFFER_BYTES = 1 << 20
const BUFFER_HEADS = 4
const WOKEN = -1
const BROKEN = -2
const LINGERED = -3
const LEFT = -4
const NOTHING = Buffer.alloc(0)
const SWEEP_MS = 100
const PAUSE_MS = 50

/** A connection with what is known of it. */
export interface Arrival extends Connection {
  /** Valid until the callback returns: it looks into a shared buffer. */
  readonly head: RequestHead
}

/** Where the connections are. `accepted + givenBack = handedOff + refused + closed + waiting` at any moment; handed off is the channels' to count. */
export interface DoorCounts {
  accepted: number
  /** Come back from a worker. */
  givenBack: number
  /** Answered by the primary, by reason. */
  refused: Record<RefusalReason, number>
  /** Left by the client before anybody had them, or not even readable. */
  closed: number
  /** Heads that are not complete. */
  waiting: number
  /** Refused connections whose answer is still on its way out. */
  lingering: number
}

/** The bounds of the door; all have defaults in the config. */
export interface DoorOptions {
  readonly maxHeadBytes: number
  /** From accept to the end of the head. */
  readonly headTimeoutMs: number
  readonly maxUnrouted: number
  readonly maxUnroutedPerAddress: number
  /** Share of the descriptor limit at which accepting pauses. */
  readonly descriptorShare: number
  readonly lingerTimeoutMs: number
  /** Idle connections that may rest here. */
  readonly maxResting: number
  /** A connection has its head, or is routed by address alone. It is the callee's from here on. */
  readonly onArrival: (arrival: Arrival) => void
  /** The client of a connection that `watchLeaving` was called for sends no more, or is gone. */
  readonly onLeft: (fd: number) => void
  /** A batch of arrivals is over: the moment to flush. */
  readonly onBatchEnd: () => void
  /** Accepting has paused for want of descriptors (`reason`), or goes on (undefined). */
  readonly onPause?: (reason: string | undefined) => void
}

interface Listener {
  readonly peek: boolean
}

interface Unrouted {
  readonly listener: number
  readonly address: string
  readonly since: number
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

/** Owns all listeners of this process; there can be one door in a process. */
export class Door {
  readonly counts: DoorCounts = {
    accepted: 0,
    givenBack: 0,
    refused: Object.fromEntries(Object.keys(refusals).map((reason) => [reason, 0])) as Record<RefusalReason, number>,
    closed: 0,
    waiting: 0,
    lingering: 0,
  }
  private readonly options: DoorOptions
  private readonly native: Native = native()
  private readonly records = new Int32Array(RECORDS * RECORD_INTS)
  private readonly bytes: Buffer
  private readonly spare: Buffer
  private readonly listeners: Listener[] = []
  // Both in order of arrival, so that a sweep stops at the first that is young enough.
  private readonly unrouted = new Map<number, Unrouted>()
  private readonly lingering = new Map<number, number>()
  private readonly resting: Resting
  private readonly perAddress = new Map<string, number>()
  private readonly lastDescriptor: number
  private sweeper: NodeJS.Timeout | undefined
  private accepting = false
  private paused: NodeJS.Timeout | undefined

  constructor(options: DoorOptions) {
    this.options = options
    this.resting = new Resting(options.maxResting)
    this.lastDescriptor = Math.floor(this.native.descriptorLimit() * options.descriptorShare)
    // One byte more than a head may have tells *too large* from *just fits*.
    const headBytes = options.maxHeadBytes + 1
    this.bytes = Buffer.alloc(Math.max(BUFFER_BYTES, BUFFER_HEADS * headBytes))
    this.spare = this.bytes.subarray(this.bytes.length - headBytes)
    this.native.openDoor(this.records, this.bytes, headBytes, this.lastDescriptor, this, this.onBatch)
  }

  /** Takes a listening descriptor. Nothing is accepted before `accept()`. */
  addListener(fd: number, peek: boolean): void {
    this.native.addListener(fd, this.listeners.length, peek)
    this.listeners.push({ peek })
  }

  accept(): void {
    this.accepting = true
    this.native.resumeListeners()
  }

  get isAccepting(): boolean {
    return this.accepting
  }

  /** Closes the listening sockets; the kernel refuses new clients. What has been accepted goes on. */
  closeListeners(): void {
    clearInterval(this.paused)
    this.accepting = false
    this.native.closeListeners()
  }

  /** Idle connections that rest here now. */
  get restingCount(): number {
    return this.resting.size
  }

  /** Takes in an idle connection until its client sends something, leaves, or has rested for `timeoutMs`; undefined: for as long as it likes. */
  rest({ fd, tag }: Connection, timeoutMs: number | undefined): void {
    this.counts.givenBack++
    if (!this.native.watch(fd)) return this.drop(fd)
    const evicted = this.resting.add(fd, tag, timeoutMs === undefined ? undefined : performance.now() + timeoutMs)
    if (evicted !== undefined) this.endRest(evicted)
    this.startSweeper()
  }

  /** Ends all rest: these connections are idle, and their clients know that it may happen. */
  closeResting(): void {
    for (const fd of this.resting.takeAll()) this.endRest(fd)
  }

  /** Closes everything that is still here. */
  close(): void {
    this.closeListeners()
    this.closeResting()
    clearInterval(this.sweeper)
    for (const fd of this.unrouted.keys()) this.native.closeDescriptor(fd)
    for (const fd of this.lingering.keys()) this.native.closeDescriptor(fd)
    this.counts.closed += this.unrouted.size
    this.counts.waiting = this.counts.lingering = 0
    this.unrouted.clear()
    this.lingering.clear()
    this.native.closeDoor()
  }

  /** Takes in a connection that a worker gives back. A worker may lie: what it says it has read is examined like a client's bytes. */
  takeIn({ fd, tag, carried }: Connection): void {
    this.counts.givenBack++
    this.examineCarried(fd, listenerOf(tag), carried ?? NOTHING)
  }

  /** Looks again at a connection that came back or had to wait, and calls `onArrival`, or ends it if its client has left. */
  readmit({ fd, tag, carried }: Connection): void {
    const length = this.native.peek(fd)
    const listener = listenerOf(tag)
    if (length < 0 && (carried === undefined || length === BROKEN)) return this.drop(fd)
    if (carried === undefined) this.examine(fd, listener, this.spare, length, false)
    else this.examineCarried(fd, listener, carried)
  }

  private examineCarried(fd: number, listener: number, carried: Buffer): void {
    const head = RequestHead.read(carried, carried.length, this.options.maxHeadBytes)
    if (head.outcome === 'complete') this.arrive(fd, packTag(listener, true), head, carried)
    else this.refuse(fd, head.outcome === 'too-large' ? 'head-too-large' : 'not-http')
  }

  /** Answers a connection from here. The descriptor is the door's again. */
  refuse(fd: number, reason: RefusalReason, retryAfterS?: number): void {
    this.counts.refused[reason]++
    if (this.native.refuse(fd, refusalAnswer(reason, retryAfterS))) {
      this.lingering.set(fd, performance.now())
      this.counts.lingering++
      this.startSweeper()
    } else {
      this.native.closeDescriptor(fd)
    }
  }

  /** From now on `onLeft` tells when the client of a connection, which is the caller's, leaves. */
  watchLeaving(fd: number): void {
    this.native.watchLeaving(fd)
  }

  unwatchLeaving(fd: number): void {
    this.native.unwatch(fd)
  }

  /** Ends a connection that nobody answers. */
  drop(fd: number): void {
    this.counts.closed++
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
        this.counts.accepted++
        if (fd > highest) highest = fd
        if (length < 0) this.drop(fd)
        else this.examine(fd, origin, this.bytes.subarray(offset, offset + length), length, false)
      } else if (origin === LINGERED) {
        this.endLingering(fd)
      } else if (origin === LEFT) {
        this.options.onLeft(fd)
      } else {
        this.examineAgain(fd, this.bytes.subarray(offset, offset + length), length, origin !== WOKEN)
      }
    }
    this.options.onBatchEnd()
    if (highest >= this.lastDescriptor || failure !== 0) this.pause(failure)
  }

  private examineAgain(fd: number, bytes: Buffer, length: number, ended: boolean): void {
    const tag = this.resting.take(fd)
    if (tag !== undefined) {
      this.native.unwatch(fd)
      return this.examine(fd, listenerOf(tag), bytes, length, ended)
    }
    const entry = this.unrouted.get(fd)
    if (entry !== undefined) this.examine(fd, entry.listener, bytes, length, ended)
  }

  /** One look at what has come so far. `ended`: the client will send no more. */
  private examine(fd: number, listener: number, bytes: Buffer, length: number, ended: boolean): void {
    if (this.listeners[listener]?.peek === false) return this.arrive(fd, packTag(listener, false), RequestHead.addressOnly())
    if (length === 0) return ended ? this.leave(fd) : this.wait(fd, listener)
    const head = RequestHead.read(bytes, length, this.options.maxHeadBytes)
    switch (head.outcome) {
      case 'complete':
        return this.arrive(fd, packTag(listener, true), head)
      case 'incomplete':
        return ended ? this.leave(fd) : this.wait(fd, listener)
      case 'too-large':
        return this.refuseUnrouted(fd, 'head-too-large')
      case 'not-http':
        if (head.protocol === 'unknown') return this.refuseUnrouted(fd, 'not-http')
        return this.arrive(fd, packTag(listener, false), head)
    }
  }

  private arrive(fd: number, tag: number, head: RequestHead, carried?: Buffer): void {
    this.forget(fd)
    head.setAddressSource(new Peer(this.native, fd))
    this.options.onArrival({ fd, tag, head, carried })
  }

  private wait(fd: number, listener: number): void {
    if (this.unrouted.has(fd)) return
    if (this.unrouted.size >= this.options.maxUnrouted) return this.refuse(fd, 'too-many-unrouted')
    const address = this.native.peerAddress(fd) ?? ''
    const same = (this.perAddress.get(address) ?? 0) + 1
    if (address !== '' && same > this.options.maxUnroutedPerAddress) return this.refuse(fd, 'too-many-unrouted-per-address')
    if (!this.native.watch(fd)) return this.drop(fd)
    this.perAddress.set(address, same)
    this.unrouted.set(fd, { listener, address, since: performance.now() })
    this.counts.waiting++
    this.startSweeper()
  }

  private refuseUnrouted(fd: number, reason: RefusalReason): void {
    this.forget(fd)
    this.refuse(fd, reason)
  }

  private leave(fd: number): void {
    this.forget(fd)
    this.drop(fd)
  }

  private forget(fd: number): void {
    const entry = this.unrouted.get(fd)
    if (entry === undefined) return
    this.native.unwatch(fd)
    this.unrouted.delete(fd)
    this.counts.waiting--
    const same = (this.perAddress.get(entry.address) ?? 1) - 1
    if (same === 0) this.perAddress.delete(entry.address)
    else this.perAddress.set(entry.address, same)
  }

  private endRest(fd: number): void {
    this.native.unwatch(fd)
    this.drop(fd)
  }

  private endLingering(fd: number): void {
    if (!this.lingering.delete(fd)) return
    this.counts.lingering--
    this.native.closeDescriptor(fd)
  }

  private startSweeper(): void {
    this.sweeper ??= setInterval(() => this.sweep(), SWEEP_MS)
  }

  private sweep(): void {
    const now = performance.now()
    for (const [fd, entry] of this.unrouted) {
      if (now - entry.since < this.options.headTimeoutMs) break
      this.refuseUnrouted(fd, 'head-timeout')
    }
    for (const [fd, since] of this.lingering) {
      if (now - since < this.options.lingerTimeoutMs) break
      this.endLingering(fd)
    }
    for (const fd of this.resting.takeExpired(now)) this.endRest(fd)
    if (this.unrouted.size === 0 && this.lingering.size === 0 && this.resting.size === 0) {
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
