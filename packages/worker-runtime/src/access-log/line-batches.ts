// Sends the lines of the access log to the primary in batches. When the primary does not keep up, whole batches are dropped and counted, so the
// log holds a bounded amount of memory and no request waits for it.

import { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { LineBuffer } from './line-buffer.ts'

/** Where batches go. */
export interface LineSink {
  /** `frame`: see access-frames.ts. It is the caller's again when nothing is unsent. */
  write(frame: Buffer): void
  /** So many lines are lost since the last call. */
  onLost(count: number): void
  /** Bytes that were written and that the kernel has not taken. */
  readonly unsent: number
}

const EVERY_MS = 200
/** Beyond it batches are dropped. */
const MAX_UNSENT_BYTES = 1024 * 1024

export class LineBatches {
  private readonly sink: LineSink
  private readonly buffer = new LineBuffer()
  private lost = 0
  private timer: NodeJS.Timeout | undefined
  /** Added to a reading of the monotonic clock it gives the time since 1970 in ms. Read anew for each batch, because that clock is set now and then. */
  sinceEpochMs = 0

  constructor(sink: LineSink) {
    this.sink = sink
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
    if (sink.unsent > MAX_UNSENT_BYTES) {
      this.lost += lines
      buffer.clear()
      // So that the count is reported even if no line follows.
      this.timer = setTimeout(this.flush, EVERY_MS).unref()
      return
    }
    if (lines > 0) {
      sink.write(buffer.takeFrame())
      if (sink.unsent > 0) buffer.replaceMemory()
    }
    if (this.lost > 0) sink.onLost(this.lost)
    this.lost = 0
  }
}

/** The pipe to the primary with that descriptor. It keeps no process alive. */
export function accessPipe(fd: number, onLost: (count: number) => void): LineSink {
  const socket = new Socket({ fd, readable: false, writable: true }).unref()
  // The primary is gone; the channel's end is noticed elsewhere.
  socket.on('error', () => {})
  return {
    write(frame) {
      if (socket.writable) socket.write(frame)
    },
    onLost,
    get unsent() {
      return socket.writableLength
    },
  }
}
