// Sends the lines of the access log to the primary in batches. When the primary does not keep up, whole batches are dropped and counted, so the
// log holds a bounded amount of memory and no request waits for it.

import { performance } from 'node:perf_hooks'
import { LineBuffer, type LineSpace } from './line-buffer.ts'

/** Where batches go. */
export interface LineSink {
  /** Where the first lines go. */
  readonly first: LineSpace
  /** May `send` be called? */
  readonly hasRoom: boolean
  /** Sends what the present space has up to `end`. Returns the space of later lines. */
  send(end: number, lines: number): LineSpace
  /** So many lines are lost since the last call. */
  onLost(count: number): void
}

const EVERY_MS = 200

export class LineBatches {
  private readonly sink: LineSink
  private readonly buffer: LineBuffer
  private lost = 0
  private timer: NodeJS.Timeout | undefined
  /** Added to a reading of the monotonic clock it gives the time since 1970 in ms. Read anew for each batch, because that clock is set now and then. */
  sinceEpochMs = 0

  constructor(sink: LineSink) {
    this.sink = sink
    this.buffer = new LineBuffer(sink.first)
  }

  /** Returns where the next line goes. */
  open(): LineBuffer {
    if (this.timer === undefined) {
      this.sinceEpochMs = Date.now() - performance.now()
      this.timer = setTimeout(this.flush, EVERY_MS).unref()
    }
    return this.buffer
  }

  /** The line is written. */
  close(): void {
    if (!this.buffer.hasRoom) this.flush()
  }

  readonly flush = (): void => {
    clearTimeout(this.timer)
    this.timer = undefined
    const { buffer, sink } = this
    const { lines } = buffer
    if (lines === 0 && this.lost === 0) return
    if (!sink.hasRoom) {
      this.lost += lines
      buffer.clear()
      // So that the count is reported even if no line follows.
      this.timer = setTimeout(this.flush, EVERY_MS).unref()
      return
    }
    if (lines > 0) buffer.use(sink.send(buffer.end, lines))
    if (this.lost > 0) sink.onLost(this.lost)
    this.lost = 0
  }

  /** The process exits. The primary finds lines that stay in shared memory. */
  readonly flushLast = (): void => {
    if (this.sink.hasRoom) this.flush()
  }
}
