// The worker's end of the native channel: descriptors come in, and each is claimed in the moment its first request begins.

import { native } from './native.ts'

const PEEK_BYTES = 65536

/** A connection that was offered to this worker and is not claimed yet. */
export class Offer {
  readonly fd: number
  readonly tag: number
  private readonly index: number
  private readonly word: number

  constructor(fd: number, index: number, word: number, tag: number) {
    this.fd = fd
    this.index = index
    this.word = word
    this.tag = tag
  }

  /** A copy of what the client has sent so far, up to 64 KiB; the bytes stay in the kernel. */
  peek(): Buffer {
    return Buffer.from(peeked.subarray(0, native().peekReceived(this.fd)))
  }

  /**
   * Claims the connection by compare-and-swap and takes `bytes` peeked bytes from the kernel.
   * False: the primary has taken it back, and nothing may be done with it but to let go.
   */
  claim(bytes: number): boolean {
    return native().claim(this.fd, this.index, this.word, bytes)
  }

  /** Lets go of a connection that could not be claimed and that no socket was made of. */
  release(): void {
    native().closeDescriptor(this.fd)
  }
}

const peeked = Buffer.alloc(PEEK_BYTES)

/** Starts to receive; gives this worker's row of the load board. `onOffer` owns the offer's descriptor. Keeps no process alive. */
export function receiveOffers(ends: { socket: number; memory: number; window: number }, onOffer: (offer: Offer) => void): Int32Array {
  const row = native().openReceiver(ends.socket, ends.memory, ends.window, peeked, {}, (fd, index, word, tag) => {
    onOffer(new Offer(fd, index, word, tag))
  })
  return new Int32Array(row)
}
