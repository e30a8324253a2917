// Decides how many idle kept-alive connections each worker of a pool keeps. The others rest in the primary; over the portable channel, where connections
// can't move, they end with their next response.
//
// Resting costs about 0.1 ms for each request. It pays where requests take much of their loop. It does not pay in a pool that has had more to do than its workers
// can for some time: no loop is idle for the next request anyway, so each worker keeps its share. All workers of a pool do the same, because
// connections would otherwise gather at the workers that keep theirs.
//
// Ending a connection costs its client a new one, so over the portable channel that happens only when others have waited too long: a loop takes one hand-off a turn there,
// and its own connections can fill its turns. Once they end, all clients stand in the queue, first in, first out.

import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { Pool } from './pool.ts'

/** Loop time of a request, on average, from which on resting pays. */
const PAYS_FROM_MS = 2
const PAYS_NO_MORE_MS = 1.75
/** The pool is crowded when it was saturated at this many polls in a row. */
const CROWDED_POLLS = 5
/** It is no longer crowded when a worker's loop was busy for less than this share of a tenth of a second. */
const FULL = 0.9
/** A worker keeps this much more than an equal share, because connections come and go. */
const SLACK = 1.1
/** Kept connections are served again before the queue. With more of them the queue would wait too long. */
const MOST_KEPT = 128
/** Over the portable channel connections end once another has waited this long, or this part of its timeout. They no longer end below half of that. */
const STARVES_AFTER_MS = 500
const STARVES_AFTER_PART = 0.25

export class KeptConnections {
  private readonly pool: Pool
  private saturatedPolls = 0
  private isCrowded = false
  private pays = false
  private starves = false
  /** The limit that was sent to the workers; undefined: they keep all. */
  private most: number | undefined

  constructor(pool: Pool) {
    this.pool = pool
  }

  /** To be called regularly while connections wait. Returns whether the calls have to go on although none waits. */
  poll(): boolean {
    this.saturatedPolls = this.pool.isSaturated ? this.saturatedPolls + 1 : 0
    this.decide()
    return this.isCrowded
  }

  /** Decides by the load that the workers have reported, and sends them the limit. */
  decide(): void {
    const serving = this.pool.candidates
    const measured = serving.map(({ load }) => load.requestLoopMs).filter((ms) => ms > 0)
    const meanMs = measured.reduce((sum, ms) => sum + ms, 0) / Math.max(1, measured.length)
    this.pays = meanMs >= (this.pays ? PAYS_NO_MORE_MS : PAYS_FROM_MS)
    const connections = serving.reduce((sum, { load }) => sum + load.connections, this.pool.queue.waitingForLoop)
    const share = Math.ceil((connections / serving.length) * SLACK)
    this.isCrowded =
      (this.isCrowded ? serving.every(({ load }) => load.utilisation >= FULL) : this.saturatedPolls >= CROWDED_POLLS) &&
      serving.length > 1 &&
      share <= MOST_KEPT &&
      serving.every(({ load }) => load.turnsAreAlike)
    this.most = !this.pays ? undefined : this.isCrowded ? share : 0
    this.starves = this.longestWaitMs >= this.starvesAfterMs * (this.starves ? 0.5 : 1)
    for (const worker of this.pool.workers) this.sendTo(worker)
  }

  sendTo({ link }: PoolWorker): void {
    const mostUnmoved = this.starves ? 0 : undefined
    link.sendKeptLimit(link.movesConnections ? this.most : mostUnmoved)
  }

  private get longestWaitMs(): number {
    const since = this.pool.queue.oldestSinceMs
    return since === undefined ? 0 : Date.now() - since
  }

  private get starvesAfterMs(): number {
    return Math.min(STARVES_AFTER_MS, this.pool.settings.queueTimeoutMs * STARVES_AFTER_PART)
  }
}
