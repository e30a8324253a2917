// Recalls hand-offs that a worker has not claimed because its loop is stuck, as soon as another worker can have them.

import { type Connection, readClock } from '@switchyard/handoff'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import { type Pool, STUCK_MS } from './pool.ts'

/**
 * A loop that reads as idle and claims nothing has no processor, or runs a callback that does not mark the loop busy (of a file or a database). It takes longer to be
 * sure of that.
 */
const SILENT_MS = 8

const ALL = 2 ** 31 - 1

/** Places a recalled connection by the load of this moment: with another worker, or in a queue. */
export type PlaceRecalled = (connection: Connection) => void

export class Recall {
  /** Workers that had not claimed all of their hand-offs at the last poll. */
  private readonly slow = new Map<Pool, Set<PoolWorker>>()

  /** The worker has not claimed all of its hand-offs. */
  record(pool: Pool, worker: PoolWorker): void {
    const slow = this.slow.get(pool) ?? new Set()
    slow.add(worker)
    this.slow.set(pool, slow)
  }

  /** A loop may have turned idle: it gets hand-offs that others have not claimed for too long. */
  relieve(pool: Pool, place: PlaceRecalled): void {
    const slow = this.slow.get(pool)
    if (slow === undefined) return
    this.recallFrom(slow, pool, place)
    if (slow.size === 0) return this.end(pool)
    // A loop may have turned between the recall and the subscription.
    if (pool.subscribeTurns(this)) this.recallFrom(slow, pool, place)
  }

  /** Does the same for every pool with unclaimed hand-offs. */
  relieveAll(place: PlaceRecalled): void {
    for (const pool of this.slow.keys()) this.relieve(pool, place)
  }

  /** Recalls all unclaimed hand-offs of a worker that could go elsewhere. */
  all(worker: PoolWorker, place: PlaceRecalled): void {
    this.recall(worker, ALL, 0, place)
  }

  /** The worker is gone, or has claimed everything. */
  forget(pool: Pool, worker: PoolWorker): void {
    const slow = this.slow.get(pool)
    if (slow?.delete(worker) === true && slow.size === 0) this.end(pool)
  }

  private recallFrom(slow: Set<PoolWorker>, pool: Pool, place: PlaceRecalled): void {
    readClock()
    for (const worker of slow) {
      if (worker.channel.outstanding === 0) {
        slow.delete(worker)
        continue
      }
      const olderThanMs = worker.load.busyMs >= STUCK_MS ? STUCK_MS : SILENT_MS
      // One at a time, because each makes another loop busy. A new offer is too young to be recalled, so the loop ends.
      while (this.isBetterOff(pool, worker) && this.recall(worker, 1, olderThanMs, place) > 0) {}
    }
  }

  /** Would a connection start sooner elsewhere? Another loop is idle, or this one takes longer than usual and another turns soon. */
  private isBetterOff(pool: Pool, worker: PoolWorker): boolean {
    return pool.hasFree || (pool.queue.waitingForLoop > 0 && worker.load.isOverdue && pool.takesNext)
  }

  /** Recalls and places at most `most` hand-offs that are older than `olderThanMs`. Returns how many these were. */
  private recall(worker: PoolWorker, most: number, olderThanMs: number, place: PlaceRecalled): number {
    const recalled = worker.channel.recall(most, olderThanMs)
    worker.recalled += recalled.length
    for (const connection of recalled) place(connection)
    return recalled.length
  }

  private end(pool: Pool): void {
    this.slow.delete(pool)
    pool.unsubscribeTurns(this)
  }
}
