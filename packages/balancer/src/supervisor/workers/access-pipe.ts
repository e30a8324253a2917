// The primary's end of the pipe over which a worker sends frames with lines of the access log.

import type { Readable } from 'node:stream'
import { FRAME_HEAD_BYTES, type LineBlock, readFrameHead } from '@switchyard/worker-runtime'

const LINE_FEED = 10
const NOTHING = Buffer.alloc(0)

type Frame = Pick<LineBlock, 'bytes' | 'lines'>

/** Calls `onBlock` with the lines of each frame. `onBroken` is called once if the worker sends anything else; the rest is ignored. */
export function readAccessLines(pipe: Readable, onBlock: (block: LineBlock) => void, onBroken: () => void): void {
  const reader = new FrameReader(onBlock)
  // The worker is gone; its exit event follows.
  pipe.on('error', () => {})
  pipe.on('data', (bytes: Buffer) => {
    if (reader.isBroken) return
    reader.read(bytes)
    if (reader.isBroken) onBroken()
  })
  pipe.once('end', () => reader.end())
}

class FrameReader {
  /** It has sent what no worker sends. */
  isBroken = false
  private readonly onBlock: (block: LineBlock) => void
  /** A head in part. */
  private head: Buffer = NOTHING
  private frame: Frame | undefined
  /** What has come of the frame. */
  private chunks: Buffer[] = []
  private received = 0

  constructor(onBlock: (block: LineBlock) => void) {
    this.onBlock = onBlock
  }

  read(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0 && !this.isBroken; )
      rest = this.frame === undefined ? this.readHead(rest) : this.readLines(rest, this.frame)
  }

  /** The pipe has ended: of a frame in part the whole lines count. */
  end(): void {
    const whole = Buffer.concat(this.chunks)
    const bytes = whole.lastIndexOf(LINE_FEED) + 1
    if (bytes === 0 || this.isBroken) return
    const kept = whole.subarray(0, bytes)
    let lines = 0
    for (let at = kept.indexOf(LINE_FEED); at !== -1; at = kept.indexOf(LINE_FEED, at + 1)) lines++
    this.onBlock({ chunks: [kept], bytes, lines })
  }

  private readHead(bytes: Buffer): Buffer {
    const missing = FRAME_HEAD_BYTES - this.head.length
    this.head = this.head.length === 0 ? bytes.subarray(0, missing) : Buffer.concat([this.head, bytes.subarray(0, missing)])
    if (this.head.length < FRAME_HEAD_BYTES) return NOTHING
    this.frame = readFrameHead(this.head)
    this.isBroken = this.frame === undefined
    this.head = NOTHING
    return bytes.subarray(missing)
  }

  private readLines(bytes: Buffer, frame: Frame): Buffer {
    const missing = frame.bytes - this.received
    const chunk = bytes.subarray(0, missing)
    this.chunks.push(chunk)
    this.received += chunk.length
    if (chunk.length === missing) this.endFrame(chunk, frame)
    return bytes.subarray(missing)
  }

  private endFrame(last: Buffer, frame: Frame): void {
    const { chunks } = this
    this.frame = undefined
    this.chunks = []
    this.received = 0
    // Lines of other workers follow in the same file.
    this.isBroken = last[last.length - 1] !== LINE_FEED
    if (!this.isBroken) this.onBlock({ chunks, ...frame })
  }
}
