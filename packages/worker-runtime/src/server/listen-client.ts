// Asks the primary to listen, and blocks until the answer is there: an app may expect a bound socket when listen() returns. The primary never waits
// for a worker, so the two can't deadlock.

import { readSync, writeSync } from 'node:fs'
import type { ListenAnswer, ListenRequest } from '../listen-protocol.ts'

const ANSWER_BYTES = 4096
const AGAIN_MS = 1
const LINE_END = 0x0a

export class ListenClient {
  private readonly fd: number
  private readonly bytes = Buffer.alloc(ANSWER_BYTES)
  private readonly pause = new Int32Array(new SharedArrayBuffer(4))

  /** `fd`: a descriptor of this process. */
  constructor(fd: number) {
    this.fd = fd
  }

  /** The primary's answer; undefined: the primary is gone. */
  ask(request: ListenRequest): ListenAnswer | undefined {
    try {
      this.retrying(() => writeSync(this.fd, `${JSON.stringify(request)}\n`))
      let length = 0
      while (length === 0 || this.bytes[length - 1] !== LINE_END) {
        const read = this.retrying(() => readSync(this.fd, this.bytes, length, this.bytes.length - length, null))
        if (read === 0) return undefined
        length += read
      }
      return JSON.parse(this.bytes.toString('utf8', 0, length)) as ListenAnswer
    } catch {
      // The pipe broke: the primary is gone, and this process exits too.
      return undefined
    }
  }

  /** Repeats the call while the pipe, which may be non-blocking, is not ready. */
  private retrying(work: () => number): number {
    for (;;) {
      try {
        return work()
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code !== 'EAGAIN' && code !== 'EINTR') throw error
        Atomics.wait(this.pause, 0, 0, AGAIN_MS)
      }
    }
  }
}
