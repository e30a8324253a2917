// The primary's side of the memory over which a worker sends lines of the access log. The worker may write there whatever it likes, at any time.

import type { Readable } from 'node:stream'
import { AccessMemory, type LineBlock, SEGMENT_BYTES } from '@switchyard/worker-runtime'

const LINE_FEED = 10

export class AccessSegments {
  private readonly memory: AccessMemory
  private readonly onBlock: (block: LineBlock) => void
  private readonly onBroken: () => void
  /** Segments whose lines are being written to the file. */
  private readonly held: boolean[] = []
  /** It has shared what no worker shares. */
  private isBroken = false
  private isOver = false

  /** Calls `onBlock` with the lines of each segment. `onBroken` is called once if the worker shares anything else; the rest is ignored. */
  constructor(memory: ArrayBuffer, onBlock: (block: LineBlock) => void, onBroken: () => void) {
    this.memory = new AccessMemory(memory)
    this.onBlock = onBlock
    this.onBroken = onBroken
  }

  /** `pipe`: a byte says that the worker has shared lines. */
  follow(pipe: Readable): void {
    // The worker is gone; its exit event follows.
    pipe.on('error', () => {})
    pipe.on('data', () => this.read())
  }

  /** The worker is gone: reads what it has not said. Later calls do nothing. */
  end(): void {
    this.read()
    if (this.isOver || this.isBroken) return
    this.isOver = true
    for (const { index } of this.memory.segments) {
      const end = this.memory.endOf(index)
      if (!this.held[index] && end > 0) this.take(index, end, undefined)
    }
  }

  private read(): void {
    const { memory, held } = this
    const given = memory.segments
      .map(({ index }) => ({ index, sequence: memory.sequenceOf(index) }))
      .filter(({ index, sequence }) => sequence !== 0 && !held[index])
    // The difference is right when the sequence has started over too.
    for (const { index } of given.sort((one, other) => (one.sequence - other.sequence) | 0)) {
      if (this.isBroken || this.isOver) return
      this.take(index, memory.endOf(index), memory.linesOf(index))
    }
  }

  /** `lines` undefined: as many as there are. */
  private take(index: number, end: number, lines: number | undefined): void {
    const { memory, held } = this
    const bytes = memory.segments[index]?.bytes.subarray(0, end) as Uint8Array
    // Lines of other workers follow in the same file.
    this.isBroken = end <= 0 || end > SEGMENT_BYTES || bytes[end - 1] !== LINE_FEED || (lines !== undefined && (lines <= 0 || lines > end))
    if (this.isBroken) return this.onBroken()
    let isHeld = false
    const free = (): void => {
      held[index] = false
      memory.giveBack(index)
    }
    const hold = (): (() => void) => {
      isHeld = true
      return free
    }
    held[index] = true
    this.onBlock({ chunks: [bytes], bytes: end, lines: lines ?? lineFeedsIn(bytes), hold })
    if (!isHeld) free()
  }
}

function lineFeedsIn(bytes: Uint8Array): number {
  let count = 0
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) count++
  return count
}
