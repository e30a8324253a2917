// Connections in batches over a socket pair, claims in shared memory: the native channel, the primary's end.

import type { Channel, ChannelListener, Connection } from './channel.ts'
import { type Native, type NativeChannelHandle, native } from './native.ts'
import { type Question, unpackQuestion, type Verdict } from './returns.ts'

const DEFAULT_WINDOW = 128
/** What a worker can have read off a connection that it gives back: no more than one read of libuv's. */
export const MAX_CARRIED_BYTES = 65536

// One for all channels: what comes is looked at before the next is read.
let returned: Buffer | undefined

/** Descriptors and numbers that a worker needs to open its end of the channel. */
export interface ChannelEnds {
  readonly socket: number
  readonly memory: number
  readonly window: number
}

/** The native channel. `window`: hand-offs that may be unclaimed at a time. */
export class NativeChannel implements Channel {
  /** For the worker's stdio; the primary's copies are gone after `started()`. */
  readonly ends: ChannelEnds
  outstanding = 0
  claimed = 0
  private unsent = 0
  /** The worker's row of the load board. */
  readonly row: Int32Array
  private readonly window: number
  private readonly native: Native = native()
  private readonly handle: NativeChannelHandle
  private readonly returned = new Int32Array(64)
  /** What is out, by descriptor. */
  private readonly offered = new Map<number, Connection>()
  private readonly listener: ChannelListener

  constructor(listener: ChannelListener, window: number = DEFAULT_WINDOW) {
    this.listener = listener
    this.window = window
    returned ??= Buffer.allocUnsafeSlow(this.native.messageBytes())
    const { channel, remote, memory, row } = this.native.openChannel(window, returned, this, this.onReturn)
    this.handle = channel
    this.row = new Int32Array(row)
    this.ends = { socket: remote, memory, window }
  }

  /** The worker's process exists and holds its ends. */
  started(): void {
    this.native.channelStarted(this.handle)
  }

  get isSettled(): boolean {
    return this.outstanding === 0 && this.unsent === 0
  }

  get hasRoom(): boolean {
    return this.outstanding < this.window
  }

  offer(connection: Connection, bound: boolean): boolean {
    const { fd, tag, carried } = connection
    if (!this.native.offer(this.handle, fd, tag, bound, carried)) return false
    this.outstanding++
    this.offered.set(fd, connection)
    return true
  }

  flush(): void {
    this.unsent = this.native.flush(this.handle)
  }

  settle(returned: (connection: Connection) => void): void {
    this.flush()
    if (this.outstanding === 0) return
    const before = this.outstanding
    const answer = this.native.settle(this.handle, this.returned)
    const back = answer & 0xff
    this.outstanding = answer >> 8
    this.claimed += before - this.outstanding - back
    // A copy: whoever takes one back may come here again.
    for (const fd of this.returned.slice(0, back)) returned(this.offered.get(fd) as Connection)
    if (this.outstanding === 0) this.offered.clear()
  }

  takeBack(taken: (connection: Connection) => void): void {
    const descriptors = this.native.takeBack(this.handle)
    this.claimed += this.outstanding - descriptors.length
    this.outstanding = 0
    const back = [...descriptors].map((fd) => this.offered.get(fd) as Connection)
    this.offered.clear()
    for (const connection of back) taken(connection)
  }

  recall(most: number, olderThanMs: number, taken: (connection: Connection) => void): void {
    const count = this.native.recall(this.handle, most, olderThanMs * 1000, this.returned)
    this.outstanding -= count
    // A copy: whoever takes one back may come here again.
    for (const fd of this.returned.slice(0, count)) taken(this.offered.get(fd) as Connection)
    if (this.outstanding === 0) this.offered.clear()
  }

  answer(question: Question, verdict: Verdict): void {
    this.native.answer(this.handle, question.id, verdict)
  }

  hearOut(): void {
    this.native.readReturns(this.handle)
  }

  close(): void {
    this.native.closeChannel(this.handle)
  }

  private readonly onReturn = (fd: number, id: number, tag: number, reason: number, offset: number, length: number): void => {
    if (fd === -1 && id === 0) return this.listener.onBatchEnd()
    if (fd === -1 && id === -1) return this.listener.onTurned()
    const bytes = (returned as Buffer).subarray(offset, offset + length)
    if (fd !== -1) return this.listener.onGivenBack({ fd, tag, carried: Buffer.from(bytes) }, reason)
    const question = unpackQuestion(id, tag, reason, bytes)
    if (question !== undefined) this.listener.onAsked(question)
  }
}
