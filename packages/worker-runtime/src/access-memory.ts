// The memory over which a worker and the primary share lines of the access log. The worker writes lines straight into a segment, the primary writes the
// segment to the file: nothing copies the lines in between. Lines of a worker that is killed are still there.
//
// A segment belongs to the worker while its sequence is 0. The worker gives it to the primary by setting a sequence, higher than that of the segment
// before, and the primary gives it back by setting 0. A byte in the pipe of the access log says that there is a segment.

import { MAX_FRAME_BYTES } from './access-frames.ts'

export const SEGMENT_BYTES = MAX_FRAME_BYTES
export const SEGMENTS = 5

/** Words of a segment: whole lines end at byte `end`; `lines`: how many, set with the sequence. */
const SEQUENCE = 0
const END = 1
const LINES = 2
/** A segment has a cache line of words. */
const ROW_WORDS = 16
/** The words, and the rest of their page of memory. */
const HEAD_BYTES = 4096

export const ACCESS_MEMORY_BYTES = HEAD_BYTES + SEGMENTS * SEGMENT_BYTES

/** A word that changes while lines are written. */
export interface SharedWord {
  readonly words: Int32Array
  readonly index: number
}

export interface Segment {
  readonly index: number
  readonly bytes: Uint8Array
  /** Where the writer puts the end of the last whole line. */
  readonly end: SharedWord
}

export class AccessMemory {
  readonly segments: readonly Segment[]
  private readonly words: Int32Array

  /** `memory`: ACCESS_MEMORY_BYTES, zero at first. */
  constructor(memory: ArrayBuffer) {
    this.words = new Int32Array(memory, 0, SEGMENTS * ROW_WORDS)
    this.segments = Array.from({ length: SEGMENTS }, (_, index) => ({
      index,
      bytes: new Uint8Array(memory, HEAD_BYTES + index * SEGMENT_BYTES, SEGMENT_BYTES),
      end: { words: this.words, index: index * ROW_WORDS + END },
    }))
  }

  /** 0: the worker writes to it. */
  sequenceOf(index: number): number {
    return Atomics.load(this.words, index * ROW_WORDS + SEQUENCE)
  }

  endOf(index: number): number {
    return this.words[index * ROW_WORDS + END] as number
  }

  linesOf(index: number): number {
    return this.words[index * ROW_WORDS + LINES] as number
  }

  /** In the worker: gives the segment to the primary. `sequence`: not 0. */
  give(index: number, lines: number, sequence: number): void {
    this.words[index * ROW_WORDS + LINES] = lines
    Atomics.store(this.words, index * ROW_WORDS + SEQUENCE, sequence)
  }

  /** In the primary: the worker may write to it again. */
  giveBack(index: number): void {
    this.words[index * ROW_WORDS + END] = 0
    Atomics.store(this.words, index * ROW_WORDS + SEQUENCE, 0)
  }
}
