// New connections begin to be read a few in one turn of the event loop. The first bytes of one may be hundreds of requests, and an attacker opens many at once.

import type { Socket } from 'node:net'
import { holdReads } from '@switchyard/handoff'

const PER_TURN = 2
/** More at a time where many wait, so that none waits for long. */
const SHARE_PER_TURN = 1 / 32

export class SessionStarts {
  private inTurn = 0
  private isScheduled = false
  private readonly waiting = new Set<() => void>()

  /** Call it when the session of the connection has begun. */
  add(connection: Socket): void {
    if (++this.inTurn > PER_TURN || this.waiting.size > 0) this.waiting.add(holdReads(connection))
    this.schedule()
  }

  private schedule(): void {
    if (!this.isScheduled) setImmediate(this.goOn)
    this.isScheduled = true
  }

  private readonly goOn = (): void => {
    this.inTurn = 0
    this.isScheduled = false
    let left = Math.max(PER_TURN, Math.ceil(this.waiting.size * SHARE_PER_TURN))
    for (const resume of this.waiting) {
      if (left-- === 0) break
      this.waiting.delete(resume)
      resume()
    }
    if (this.waiting.size > 0) this.schedule()
  }
}
