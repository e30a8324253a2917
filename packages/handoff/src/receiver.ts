// The worker's end of the native channel: descriptors come in, and each is claimed in the moment its first request begins.

import { native } from './native.ts'
import type { Verdict } from './returns.ts'

const PEEK_BYTES = 65536

/** A connection that was offered to this worker and is not claimed yet. */
export class Offer {
  readonly fd: number
  readonly tag: number
  /** What another worker had read off the connection before it gave it back. */
  readonly carried: Buffer | undefined
  private readonly index: number
  private readonly word: number

  constructor(fd: number, index: number, word: number, tag: number, carried: Buffer | undefined) {
    this.fd = fd
    this.index = index
    this.word = word
    this.tag = tag
    this.carried = carried
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

/** What a worker hears over its channel. */
export interface OfferListener {
  /** Owns the offer's descriptor. */
  onOffer(offer: Offer): void
  onAnswer(id: number, verdict: Verdict): void
}

/** Starts to receive; gives the words of memory that this worker shares with the primary. Keeps no process alive. */
export function receiveOffers(ends: { socket: number; memory: number; window: number }, listener: OfferListener): Int32Array {
  const received = Buffer.alloc(native().messageBytes())
  const words = native().openReceiver(
    ends.socket,
    ends.memory,
    ends.window,
    received,
    peeked,
    {},
    (fd, index, word, tag, offset, carried) => {
      if (fd === -1) listener.onAnswer(word, tag)
      else
        listener.onOffer(
          new Offer(fd, index, word, tag, carried === 0 ? undefined : Buffer.from(received.subarray(offset, offset + carried))),
        )
    },
  )
  return new Int32Array(words)
}

/** The loop has begun to work: a request begins. What this module's own native code receives says so by itself. */
export function loopIsBusy(): void {
  native().markBusy()
}

/** A connection was received whose first request comes with the next turn of the loop: until then it does not say that it waits. */
export function loopStaysBusy(): void {
  native().holdBusy()
}
