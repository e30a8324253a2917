// Hand-offs that their worker has not claimed because its loop has stuck are recalled as soon as another worker is free to have them.

import { type Connection, readClock } from '@switchyard/handoff'
import { type Pool, STUCK_MS } from './pool.ts'
import type { PoolWorker } from './pool-worker.ts'

/**
 * A loop that says it waits and claims nothing has not been given the processor, or runs what says nothing of itself (a callback of a file or a
 * database): that takes longer to tell.
 */
const SILENT_MS = 8

const ALL = 2 ** 31 - 1

/** Places a recalled connection by the load of this moment: with another worker, or in a queue. */
export type PlaceRecalled = (connection: Connection) => void

export class Recall {
  /** Workers with hand-offs that were not claimed at the last look. */
  private readonly slow = new Map<Pool, Set<PoolWorker>>()

  /** This worker has not claimed all that it was offered. */
  record(pool: Pool, worker: PoolWorker): void {
    const slow = this.slow.get(pool) ?? new Set()
    slow.add(worker)
    this.slow.set(pool, slow)
  }

  /** A loop may have turned free: it gets what others have had for too long. */
  relieve(pool: Pool, place: PlaceRecalled): void {
    const slow = this.slow.get(pool)
    if (slow === undefined) return
    this.recallFrom(slow, pool, place)
    if (slow.size === 0) return this.end(pool)
    // One may have turned between the look and the wish.
    if (pool.subscribeTurns(this)) this.recallFrom(slow, pool, place)
  }

  /** As `relieve`, for every pool with such hand-offs. */
  relieveAll(place: PlaceRecalled): void {
    for (const pool of this.slow.keys()) this.relieve(pool, place)
  }

  /** Takes back all that a worker has not claimed and that could go elsewhere. */
  all(worker: PoolWorker, place: PlaceRecalled): void {
    this.recall(worker, ALL, 0, place)
  }

  /** The worker is gone, or has nothing unclaimed any more. */
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
      // One at a time: each takes a worker's freedom away. What is offered again is too young to be recalled, so this ends.
      while (this.isBetterOff(pool, worker) && this.recall(worker, 1, olderThanMs, place) > 0) {}
    }
  }

  /** Would a connection begin sooner elsewhere? Another loop is free, or this one takes longer than usual and another takes the next one soon. */
  private isBetterOff(pool: Pool, worker: PoolWorker): boolean {
    return pool.hasFree || (pool.queue.waitingForLoop > 0 && worker.load.isOverdue && pool.takesNext)
  }

  /** Recalls at most so many that have been out for so long, and places them. Returns how many they were. */
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
