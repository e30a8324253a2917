// Writes the lines of the access log to the pipe to the primary, in batches. When the primary does not keep up, whole batches are dropped and counted,
// so the log holds a bounded amount of memory and no request waits for it.

import { Socket } from 'node:net'

/** Where batches go. */
export interface LineSink {
  /** `lines`: ASCII, each with its end. */
  write(lines: string): void
  /** So many lines are lost since the last call. */
  onLost(count: number): void
  /** Bytes that were written and that the kernel has not taken. */
  readonly unsent: number
}

/** A longer batch is written at once. */
const MAX_CHARS = 128 * 1024
/** A line is cut beyond this length: a URL may be as long as a head. */
const MAX_LINE_CHARS = 8 * 1024
const EVERY_MS = 200
/** Beyond it batches are dropped. */
const MAX_UNSENT_BYTES = 1024 * 1024

export class LineBatches {
  private readonly sink: LineSink
  private lines = ''
  private count = 0
  private lost = 0
  private timer: NodeJS.Timeout | undefined

  constructor(sink: LineSink) {
    this.sink = sink
  }

  /** `line`: ASCII, without its end. */
  add(line: string): void {
    this.lines += `${line.length > MAX_LINE_CHARS ? line.slice(0, MAX_LINE_CHARS) : line}\n`
    this.count++
    if (this.lines.length >= MAX_CHARS) this.flush()
    else this.timer ??= setTimeout(this.flush, EVERY_MS).unref()
  }

  readonly flush = (): void => {
    clearTimeout(this.timer)
    this.timer = undefined
    const { lines, count, sink } = this
    if (count === 0 && this.lost === 0) return
    this.lines = ''
    this.count = 0
    if (sink.unsent > MAX_UNSENT_BYTES) {
      this.lost += count
      // So that the count is reported even if no line follows.
      this.timer = setTimeout(this.flush, EVERY_MS).unref()
      return
    }
    if (count > 0) sink.write(lines)
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
    write(lines) {
      if (socket.writable) socket.write(lines, 'latin1')
    },
    onLost,
    get unsent() {
      return socket.writableLength
    },
  }
}
