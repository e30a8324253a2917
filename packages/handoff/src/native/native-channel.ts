// The primary's end of the native channel: connections in batches over a socket pair, claims in shared memory.

import type { Channel, ChannelListener, Connection } from '../channel.ts'
import { nativeCodes } from '../load/shared-page.ts'
import { type Native, type NativeChannelHandle, native, owners } from '../native-module.ts'
import { checkCounts } from '../owners.ts'
import { packEntry, unpackEntry } from '../proxied-entry.ts'
import { type Question, unpackQuestion, type Verdict } from '../returns.ts'
import { NativeLoadRow } from './native-load-row.ts'

const DEFAULT_WINDOW = 128

const NO_BYTES = Buffer.alloc(0)
const NO_CONNECTIONS: readonly Connection[] = []

// One buffer for all channels: each message is handled before the next is read.
let returned: Buffer | undefined

/** What a worker needs to open its end of the channel. */
export interface ChannelEnds {
  readonly socket: number
  readonly memory: number
  readonly window: number
}

export class NativeChannel implements Channel {
  /** For the worker's stdio. `started()` closes the primary's copies. */
  readonly ends: ChannelEnds
  outstanding = 0
  claimed = 0
  /** The worker's load row, whose count of hand-offs this channel keeps. */
  readonly load: NativeLoadRow
  /** The shared row; after `close()` a copy of its last state. */
  row: Int32Array
  private unsent = 0
  /** Recalled after they were sent: the worker receives them in vain. */
  private recalled = 0
  private readonly window: number
  private readonly native: Native = native()
  private readonly handle: NativeChannelHandle
  /** Native code writes to it which hand-offs it has settled, taken back or recalled. */
  private readonly indices: Int32Array
  /** Hand-offs under way, by the index of the claim. */
  private readonly offered: (Connection | undefined)[]
  private readonly listener: ChannelListener
  private readonly onClosed: () => void

  /** `window`: bound on hand-offs under way. `onClosed`: called by `close()`. */
  constructor(listener: ChannelListener, window: number = DEFAULT_WINDOW, onClosed: () => void = () => {}) {
    this.listener = listener
    this.onClosed = onClosed
    this.window = window
    this.indices = new Int32Array(window)
    this.offered = new Array<Connection | undefined>(window).fill(undefined)
    returned ??= Buffer.allocUnsafeSlow(this.native.messageBytes())
    const { channel, remote, memory, row } = this.native.openChannel(window, returned, this, this.onReturn)
    this.handle = channel
    this.row = new Int32Array(row)
    this.load = new NativeLoadRow(this.row)
    this.ends = { socket: remote, memory, window }
  }

  /** The worker's process holds its ends. */
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
    const { fd, tag, carried, proxied } = connection
    const index = proxied === undefined ? this.native.offer(this.handle, fd, tag, bound, carried) : this.offerPacked(connection, bound)
    if (index === -1) return false
    owners?.move(fd, 'dispatcher', 'channel')
    this.outstanding++
    this.load.handedOff++
    this.offered[index] = connection
    return true
  }

  private offerPacked({ fd, tag, carried, proxied }: Connection, bound: boolean): number {
    const entry = packEntry(tag, proxied, carried)
    return this.native.offer(this.handle, fd, entry.tag, bound, entry.bytes)
  }

  flush(): void {
    this.unsent = this.native.flush(this.handle)
  }

  settle(): readonly Connection[] {
    this.flush()
    if (this.outstanding === 0) return NO_CONNECTIONS
    const back = this.settled(this.native.settle(this.handle, this.indices))
    this.load.handedOff -= back.length
    if (owners !== undefined) this.check()
    return back
  }

  takeBack(): readonly Connection[] {
    return this.settled(this.native.takeBack(this.handle, this.indices))
  }

  recall(most: number, olderThanMs: number): readonly Connection[] {
    const count = this.native.recall(this.handle, most, olderThanMs * 1000, this.indices)
    if (count === 0) return NO_CONNECTIONS
    const back: Connection[] = []
    for (let at = 0; at < count; at++) {
      const index = this.indices[at] as number
      // ~index: the worker never receives it, so it will never count it as received.
      if (index < 0) this.load.handedOff--
      else this.recalled++
      back.push(this.remove(index < 0 ? ~index : index))
    }
    for (const { fd } of back) owners?.move(fd, 'channel', 'dispatcher')
    return back
  }

  /** Counts the hand-offs of the first `count` indices as ended, and returns those that the worker has not claimed. */
  private settled(count: number): readonly Connection[] {
    let back: Connection[] | undefined
    for (let at = 0; at < count; at++) {
      const index = this.indices[at] as number
      const connection = this.remove(index < 0 ? ~index : index)
      owners?.move(connection.fd, 'channel', index < 0 ? 'dispatcher' : 'none')
      if (index >= 0) this.claimed++
      else if (back === undefined) back = [connection]
      else back.push(connection)
    }
    return back ?? NO_CONNECTIONS
  }

  private check(): void {
    const held = this.offered.reduce((count, connection) => (connection === undefined ? count : count + 1), 0)
    checkCounts(this.outstanding, held, this.load.handedOff, this.claimed + this.recalled)
  }

  private remove(index: number): Connection {
    const connection = this.offered[index] as Connection
    this.offered[index] = undefined
    this.outstanding--
    return connection
  }

  answer(question: Question, verdict: Verdict): void {
    this.native.answer(this.handle, question.id, verdict)
  }

  readAll(): void {
    this.native.readReturns(this.handle)
  }

  close(): void {
    // The mapping lives as long as an array refers to it.
    this.row = Int32Array.from(this.row)
    this.load.keep(this.row)
    this.native.closeChannel(this.handle)
    this.onClosed()
  }

  private readonly onReturn = (fd: number, id: number, tag: number, reason: number, offset: number, length: number): void => {
    if (fd === nativeCodes.noDescriptor && id === nativeCodes.batchEnd) return this.listener.onBatchEnd()
    if (fd === nativeCodes.noDescriptor && id === nativeCodes.turned) return this.listener.onTurned()
    const bytes = (returned as Buffer).subarray(offset, offset + length)
    if (fd !== nativeCodes.noDescriptor) {
      const entry = unpackEntry(tag, Buffer.from(bytes))
      // The worker has made it up.
      if (entry === undefined) return this.native.closeDescriptor(fd)
      owners?.move(fd, 'none', 'dispatcher')
      return this.listener.onGivenBack({ fd, tag: entry.tag, carried: entry.bytes ?? NO_BYTES, proxied: entry.proxied }, reason)
    }
    const question = unpackQuestion(id, tag, reason, bytes)
    if (question !== undefined) this.listener.onAsked(question)
  }
}
