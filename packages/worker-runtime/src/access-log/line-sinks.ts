// The two ways of lines to the primary: in shared memory, or as frames in a pipe where the primary has no native module.

import { Socket } from 'node:net'
import { mapMemory } from '@switchyard/handoff'
import { type AccessLogStart, FRAME_HEAD_BYTES, MAX_FRAME_BYTES, writeFrameHead } from '../access-frames.ts'
import { ACCESS_MEMORY_BYTES, AccessMemory, type Segment } from '../access-memory.ts'
import type { LineSink } from './line-batches.ts'
import type { LineSpace } from './line-buffer.ts'

/** While more is unsent nothing is sent. */
const MAX_UNSENT_BYTES = 1024 * 1024
/** What the primary makes of a byte in the pipe does not depend on its value. */
const WAKE = Buffer.from([1])

/** What a sink needs of the pipe. */
export interface LinePipe {
  readonly writable: boolean
  /** Bytes that were written and that the kernel has not taken. */
  readonly writableLength: number
  write(bytes: Buffer): unknown
}

/** Opens what the primary has passed. It keeps no process alive. */
export function openLineSink({ pipe, memory }: AccessLogStart, onLost: (count: number) => void): LineSink {
  const socket = new Socket({ fd: pipe, readable: false, writable: true }).unref()
  // The primary is gone; the channel's end is noticed elsewhere.
  socket.on('error', () => {})
  if (memory === undefined) return new PipeSink(socket, onLost)
  return new MemorySink(socket, new AccessMemory(mapMemory(memory, ACCESS_MEMORY_BYTES)), onLost)
}

/** Gives segments of shared memory to the primary. */
export class MemorySink implements LineSink {
  readonly onLost: (count: number) => void
  private readonly pipe: LinePipe
  private readonly memory: AccessMemory
  private present: Segment
  private sequence = 0

  constructor(pipe: LinePipe, memory: AccessMemory, onLost: (count: number) => void) {
    this.pipe = pipe
    this.memory = memory
    this.onLost = onLost
    this.present = memory.segments[0] as Segment
  }

  get first(): LineSpace {
    return spaceOf(this.present)
  }

  get hasRoom(): boolean {
    return this.next !== undefined
  }

  send(_end: number, lines: number): LineSpace {
    const { memory, pipe, present, next } = this
    if (next === undefined) throw new Error('no segment is free')
    this.sequence = (this.sequence + 1) | 0 || 1
    memory.give(present.index, lines, this.sequence)
    // One byte that is unread tells the primary as much as many.
    if (pipe.writable && pipe.writableLength === 0) pipe.write(WAKE)
    this.present = next
    return spaceOf(next)
  }

  /** The first one that is free: a log with few lines uses little memory. */
  private get next(): Segment | undefined {
    const { memory, present } = this
    return memory.segments.find((segment) => segment !== present && memory.sequenceOf(segment.index) === 0)
  }
}

/** Writes frames to the pipe. */
export class PipeSink implements LineSink {
  readonly onLost: (count: number) => void
  private readonly pipe: LinePipe
  private frame = Buffer.allocUnsafe(MAX_FRAME_BYTES)

  constructor(pipe: LinePipe, onLost: (count: number) => void) {
    this.pipe = pipe
    this.onLost = onLost
  }

  get first(): LineSpace {
    return this.space
  }

  get hasRoom(): boolean {
    return this.pipe.writableLength <= MAX_UNSENT_BYTES
  }

  send(end: number, lines: number): LineSpace {
    const { pipe, frame } = this
    writeFrameHead(frame, end, lines)
    if (pipe.writable) pipe.write(frame.subarray(0, end))
    // What the kernel has not taken is still being written.
    if (pipe.writableLength > 0) this.frame = Buffer.allocUnsafe(MAX_FRAME_BYTES)
    return this.space
  }

  private get space(): LineSpace {
    return { bytes: this.frame, start: FRAME_HEAD_BYTES, end: { words: new Int32Array(1), index: 0 } }
  }
}

function spaceOf({ bytes, end }: Segment): LineSpace {
  return { bytes, start: 0, end }
}
