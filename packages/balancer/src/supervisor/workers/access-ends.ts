// The primary's ends of what carries the lines of a worker's access log: a pipe, and memory that is shared where there is the native module.

import type { Readable } from 'node:stream'
import { type SharedMemory, shareMemory } from '@switchyard/handoff'
import { ACCESS_MEMORY_BYTES, type AccessLogStart, type LineBlock } from '@switchyard/worker-runtime'
import { readAccessLines } from './access-pipe.ts'
import { AccessSegments } from './access-segments.ts'

export class AccessEnds {
  /** For the worker's stdio. */
  readonly stdio: readonly ('pipe' | number)[]
  pipe: Readable | undefined
  private shared: SharedMemory | undefined
  private segments: AccessSegments | undefined

  constructor(sharesMemory: boolean) {
    this.shared = sharesMemory ? shareMemory(ACCESS_MEMORY_BYTES) : undefined
    this.stdio = this.shared === undefined ? ['pipe'] : ['pipe', this.shared.fd]
  }

  /** What the worker is told. `first`: the place of `stdio` in its stdio. */
  descriptors(first: number): Pick<AccessLogStart, 'pipe' | 'memory'> {
    return { pipe: first, memory: this.shared && first + 1 }
  }

  /** Calls `onBlock` with lines. `onBroken` is called once if the worker sends anything else; the rest is ignored. */
  read(pipe: Readable, onBlock: (block: LineBlock) => void, onBroken: () => void): void {
    this.pipe = pipe
    if (this.shared === undefined) return readAccessLines(pipe, onBlock, onBroken)
    this.segments = new AccessSegments(this.shared.memory, onBlock, onBroken)
    this.segments.follow(pipe)
  }

  /** The worker has its ends, or could not be started. Call it once. */
  started(): void {
    this.shared?.started()
    this.shared = undefined
  }

  /** The process has exited, and nothing comes from the pipe any more. */
  end(): void {
    this.segments?.end()
    this.segments = undefined
  }
}
