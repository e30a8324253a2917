// How many kept-alive connections each worker of a pool keeps between their requests. Those that it doesn't keep rest in the primary, or, where connections can't move, end with
// their next response.
//
// To rest and to be handed off again costs a tenth of a millisecond or so for each request. It pays where requests take much of their loop. It does not where the pool has had more to do
// than its workers can for some time: then no loop is free for the next request anyway, and each worker keeps its share. All workers of a pool do the same: connections would
// else gather at those that keep theirs.
//
// A connection that ends costs its client a new one, so that happens only when others have waited in the queue for too long: a worker's loop takes one hand-off a turn over Node's IPC, and
// its own connections can fill its turns. When they end, all clients stand in the queue, first in, first out.

import type { Pool } from './pool.ts'
import type { PoolWorker } from './pool-worker.ts'

/** Of loop time per request, on the average. */
const PAYS_FROM_MS = 2
const PAYS_NO_MORE_MS = 1.75
/** The pool is crowded when a queue has stood at so many looks in a row. */
const CROWDED_POLLS = 5
/** And no more when a worker's loop was busy for less than this share of a tenth of a second. */
const FULL = 0.9
/** Beyond an equal share, for connections come and go. */
const SLACK = 1.1
/** What a worker keeps is served again before what still waits in the queue: with more than so many, that would have to wait for too long. */
const MOST_KEPT = 128
/** Where connections can't move: they end when another has waited for so long, or for such a part of what it may wait; and no more below half of that. */
const STARVES_AFTER_MS = 500
const STARVES_AFTER_PART = 0.25

export class KeptConnections {
  private readonly pool: Pool
  private looks = 0
  private isCrowded = false
  private pays = false
  private starves = false
  /** What the workers have been told; undefined: to keep all. */
  private most: number | undefined

  constructor(pool: Pool) {
    this.pool = pool
  }

  /** To be called every so often while connections wait. Returns whether it is to be called again though none does. */
  poll(): boolean {
    this.looks = this.pool.isSaturated ? this.looks + 1 : 0
    this.decide()
    return this.isCrowded
  }

  /** Decides by the load that the workers have reported, and tells them. */
  decide(): void {
    const serving = this.pool.candidates
    const measured = serving.map(({ load }) => load.requestLoopMs).filter((ms) => ms > 0)
    const meanMs = measured.reduce((sum, ms) => sum + ms, 0) / Math.max(1, measured.length)
    this.pays = meanMs >= (this.pays ? PAYS_NO_MORE_MS : PAYS_FROM_MS)
    const connections = serving.reduce((sum, { load }) => sum + load.connections, this.pool.queue.waitingForLoop)
    const share = Math.ceil((connections / serving.length) * SLACK)
    this.isCrowded =
      (this.isCrowded ? serving.every(({ load }) => load.utilisation >= FULL) : this.looks >= CROWDED_POLLS) &&
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
