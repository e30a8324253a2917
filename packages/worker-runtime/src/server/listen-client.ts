// Asks the primary to listen, and waits: to an app a socket is bound when listen() has returned, so the answer must be there by then. The primary never waits
// for a worker, so nothing can stand still for both.

import { readSync, writeSync } from 'node:fs'
import type { ListenAnswer, ListenRequest } from '../protocol.ts'

const ANSWER_BYTES = 4096
const AGAIN_MS = 1
const LINE_END = 0x0a

export class ListenPipe {
  private readonly fd: number
  private readonly bytes = Buffer.alloc(ANSWER_BYTES)
  private readonly pause = new Int32Array(new SharedArrayBuffer(4))

  /** `fd`: a descriptor of this process. */
  constructor(fd: number) {
    this.fd = fd
  }

  /** The primary's answer; undefined: it is gone. */
  ask(request: ListenRequest): ListenAnswer | undefined {
    try {
      this.patiently(() => writeSync(this.fd, `${JSON.stringify(request)}\n`))
      let length = 0
      while (length === 0 || this.bytes[length - 1] !== LINE_END) {
        const read = this.patiently(() => readSync(this.fd, this.bytes, length, this.bytes.length - length, null))
        if (read === 0) return undefined
        length += read
      }
      return JSON.parse(this.bytes.toString('utf8', 0, length)) as ListenAnswer
    } catch {
      // This process is about to follow.
      return undefined
    }
  }

  /** A pipe that does not block says so instead of waiting. */
  private patiently(work: () => number): number {
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
