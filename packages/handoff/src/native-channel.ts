// Connections in batches over a socket pair, claims in shared memory: the native channel, the primary's end.

import type { Channel } from './channel.ts'
import { type Native, type NativeChannelHandle, native } from './native.ts'

const DEFAULT_WINDOW = 128

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
  /** The worker's row of the load board. */
  readonly row: Int32Array
  private readonly window: number
  private readonly native: Native = native()
  private readonly handle: NativeChannelHandle
  private readonly returned = new Int32Array(64)
  // The listener's tag by descriptor: what comes back is told with it.
  private readonly tags = new Map<number, number>()

  constructor(window: number = DEFAULT_WINDOW) {
    this.window = window
    const { channel, remote, memory, row } = this.native.openChannel(window)
    this.handle = channel
    this.row = new Int32Array(row)
    this.ends = { socket: remote, memory, window }
  }

  /** The worker's process exists and holds its ends. */
  started(): void {
    this.native.channelStarted(this.handle)
  }

  get hasRoom(): boolean {
    return this.outstanding < this.window
  }

  offer(fd: number, tag: number): boolean {
    if (!this.native.offer(this.handle, fd, tag)) return false
    this.outstanding++
    this.tags.set(fd, tag)
    return true
  }

  flush(): void {
    this.native.flush(this.handle)
  }

  settle(returned: (fd: number, tag: number) => void): void {
    if (this.outstanding === 0) return
    const before = this.outstanding
    this.native.flush(this.handle)
    const answer = this.native.settle(this.handle, this.returned)
    const back = answer & 0xff
    this.outstanding = answer >> 8
    this.claimed += before - this.outstanding - back
    // A copy: whoever takes one back may come here again.
    for (const fd of this.returned.slice(0, back)) this.giveBack(fd, returned)
    if (this.outstanding === 0) this.tags.clear()
  }

  takeBack(taken: (fd: number, tag: number) => void): void {
    const descriptors = this.native.takeBack(this.handle)
    this.claimed += this.outstanding - descriptors.length
    this.outstanding = 0
    for (const fd of descriptors) this.giveBack(fd, taken)
    this.tags.clear()
  }

  close(): void {
    this.native.closeChannel(this.handle)
  }

  private giveBack(fd: number, to: (fd: number, tag: number) => void): void {
    to(fd, this.tags.get(fd) ?? 0)
  }
}
