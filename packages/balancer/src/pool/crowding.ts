// A pool with more to do than its workers can, for some time. A connection that rests between its requests then finds no loop that is free when the next one comes: resting
// costs a tenth of a millisecond for each request and gains nothing. So each worker keeps its share of the connections, until one of the workers has time to spare.

import type { Pool } from './pool.ts'

/** It is crowded when a queue has stood at so many looks in a row. */
const LOOKS = 5
/** And no more when a worker's loop was busy for less than this share of a tenth of a second. */
const FULL = 0.9
/** Beyond an equal share, for connections come and go. */
const SLACK = 1.1
/** What a worker keeps is served again before what still waits in the queue: with more than so many, that would have to wait for too long. */
const MOST_KEPT = 128

export class Crowding {
  private readonly pool: Pool
  private looks = 0
  private isOn = false

  constructor(pool: Pool) {
    this.pool = pool
  }

  /** Looks whether it is so now, and tells the workers. Returns whether it is. */
  look(): boolean {
    const { pool } = this
    const serving = [...pool.candidates]
    this.looks = pool.isSaturated ? this.looks + 1 : 0
    const connections = serving.reduce((sum, { load }) => sum + load.connections, pool.queue.waitingForLoop)
    const share = Math.ceil((connections / serving.length) * SLACK)
    const wasOn = this.isOn
    this.isOn =
      (wasOn ? serving.every(({ load }) => load.utilisation >= FULL) : this.looks >= LOOKS) &&
      serving.length > 1 &&
      share <= MOST_KEPT &&
      serving.every(({ load }) => load.turnsAreAlike)
    if (this.isOn || wasOn) for (const { link } of pool.workers) link.tellMostKept(this.isOn ? share : 0)
    return this.isOn
  }
}
