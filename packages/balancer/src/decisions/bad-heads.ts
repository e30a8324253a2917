// The newest heads that were refused or could not be read, for `balancer errors`. Nothing is analysed before it is read: a client may send faulty
// heads as fast as it can.

import type { BadHead } from '@switchyard/handoff'
import type { ListenerProtocol, RequestHead } from '@switchyard/routing'

const MAX_HEADS = 100
/** Of one head. */
const MAX_BYTES = 16_384

/** A copy of a bad head. */
export interface KeptHead {
  /** Counts the bad heads since the start, from 1. */
  readonly number: number
  /** In ms since 1970. */
  readonly timeMs: number
  readonly reason: BadHead['reason']
  readonly address: string | undefined
  /** The first bytes. */
  readonly bytes: Buffer
  /** How many bytes were read. */
  readonly length: number
  /** undefined: the bound does not matter, because the head was read to its end. */
  readonly maxHeadBytes: number | undefined
  /** What the clients of the listener speak. */
  readonly expected: ListenerProtocol
}

export class BadHeads {
  private readonly heads: KeptHead[] = []
  private count = 0

  readonly record = (head: BadHead): void => {
    this.keep(head)
  }

  /** Programs can read the head as a request of different pools. */
  recordAmbiguous({ remoteAddress: address, received: bytes = Buffer.alloc(0) }: RequestHead): void {
    this.keep({ reason: 'ambiguous-head', address, bytes, maxHeadBytes: undefined, expected: 'detect' })
  }

  /** Oldest first. */
  get newest(): readonly KeptHead[] {
    const start = this.count % MAX_HEADS
    return this.count < MAX_HEADS ? this.heads : [...this.heads.slice(start), ...this.heads.slice(0, start)]
  }

  private keep({ bytes, ...head }: Omit<KeptHead, 'number' | 'timeMs' | 'length'>): void {
    const copy = Buffer.from(bytes.subarray(0, MAX_BYTES))
    const index = this.count++ % MAX_HEADS
    this.heads[index] = { ...head, number: this.count, timeMs: Date.now(), bytes: copy, length: bytes.length }
  }
}
