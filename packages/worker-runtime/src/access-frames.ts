// The form in which a worker sends lines of the access log to the primary: frames of whole lines. The count of lines in front spares the primary
// from looking at the bytes.

/** Two unsigned 32-bit numbers, little-endian: the bytes and the lines that follow. */
export const FRAME_HEAD_BYTES = 8
/** With its head. Linux takes this many at once into an empty pipe between processes, and each frame wakes the primary. */
export const MAX_FRAME_BYTES = 192 * 1024

/** Whole lines, each with its end. */
export interface LineBlock {
  /** One after the other. With `hold` they are valid while the receiver runs; it may call `hold`, and then the function that it returns when it needs them no more. */
  readonly chunks: readonly Uint8Array[]
  /** Of all chunks. */
  readonly bytes: number
  readonly lines: number
  readonly hold?: () => () => void
}

/** Writes the head of a frame of `end` bytes, its head included, to the beginning of `frame`. */
export function writeFrameHead(frame: Buffer, end: number, lines: number): void {
  frame.writeUInt32LE(end - FRAME_HEAD_BYTES, 0)
  frame.writeUInt32LE(lines, 4)
}

/** Reads the head of a frame. Returns undefined if no worker could have written it. */
export function readFrameHead(head: Buffer): Pick<LineBlock, 'bytes' | 'lines'> | undefined {
  const bytes = head.readUInt32LE(0)
  const lines = head.readUInt32LE(4)
  const isPossible = bytes <= MAX_FRAME_BYTES - FRAME_HEAD_BYTES && lines > 0 && lines <= bytes
  return isPossible ? { bytes, lines } : undefined
}

/** What a worker is told of the access log. */
export interface AccessLogStart {
  /** `combined`, `json` or a template. */
  readonly format: string
  /** Share of the requests that are logged, above 0, at most 1. */
  readonly sample: number
  /** Descriptor of the pipe that lines are written to, or that says that there are lines in the memory. */
  readonly pipe: number
  /** Descriptor of memory that the primary shares, see access-memory.ts. undefined: lines go through the pipe. */
  readonly memory: number | undefined
}
