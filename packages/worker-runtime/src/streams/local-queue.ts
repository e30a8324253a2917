// Streams that may be heavy and that this worker serves itself. The app gets one in each turn of the loop, so that between two of them forwarded streams and
// their answers pass, and it gets none before the streams of the same moment that are forwarded have left.

import type { HeldStream } from '../http2/held-stream.ts'
import type { KeptCount } from './client-connection.ts'

/** New connections to other workers are waited for at most this long. */
const CONNECT_MS = 10

export class LocalQueue {
  private readonly count: KeptCount
  private readonly waiting: HeldStream[] = []
  private sinceMs = 0

  constructor(count: KeptCount) {
    this.count = count
  }

  add(held: HeldStream): void {
    if (this.waiting.push(held) > 1) return
    this.sinceMs = performance.now()
    setImmediate(this.giveOne)
  }

  private readonly giveOne = (): void => {
    if (this.count.connecting > 0 && performance.now() - this.sinceMs < CONNECT_MS) return void setImmediate(this.giveOne)
    const held = this.waiting.shift()
    // Before the app's code runs, which may throw.
    if (this.waiting.length > 0) setImmediate(this.giveOne)
    held?.give()
  }
}
