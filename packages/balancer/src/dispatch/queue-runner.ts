// Connections that wait for a worker, of all pools: which may wait, for how long, and when they are placed again.

import type { Arrival } from '@switchyard/handoff'
import type { RefusalReason } from '../events.ts'
import type { Pool } from './pool.ts'
import type { Queued, WaitFor } from './queue.ts'

const POLL_MS = 50
/** So many in a row may be turned down by policies of the user's own before the rest has to wait for the next look. */
const MAX_TURNED_DOWN = 16

/** A connection that no worker can have now. */
export interface Waits {
  readonly pool: Pool
  readonly waitFor: WaitFor
}

export interface QueueRunnerOptions {
  readonly pools: () => Iterable<Pool>
  readonly refuse: (pool: Pool, fd: number, reason: RefusalReason) => void
  /** Places a connection by the routes and the load of this moment. Undefined: it is the caller's no more; else it still has to wait. */
  readonly place: (queued: Queued) => Waits | undefined
  /** Watches whether the client of a connection hangs up. */
  readonly watch: (fd: number) => void
  readonly flush: () => void
}

export class QueueRunner {
  private readonly options: QueueRunnerOptions
  private timer: NodeJS.Timeout | undefined

  constructor(options: QueueRunnerOptions) {
    this.options = options
  }

  /** No worker can have this connection now: it waits, or another does and this is refused. */
  add({ pool, waitFor }: Waits, arrival: Arrival, sinceMs: number = Date.now()): void {
    const { fd, tag, carried, head } = arrival
    const queued = { arrival: { fd, tag, carried, head: head.keep() }, sinceMs, waitFor, address: head.remoteAddress ?? '' }
    const refused = pool.queue.add(queued)
    if (refused !== undefined) this.options.refuse(pool, refused.arrival.fd, 'queue-full')
    if (refused === queued) return
    this.options.watch(fd)
    this.timer ??= setInterval(() => this.poll(), POLL_MS)
    if (waitFor === 'home') return
    if (pool.queue.waitingForLoop === pool.aheadFrom) this.tryForLoop(pool)
    this.wish(pool)
  }

  /** The client of a connection has hung up. Returns whether the connection waited here; it is the caller's then. */
  remove(fd: number): boolean {
    for (const pool of this.options.pools()) if (pool.queue.remove(fd) !== undefined) return true
    return false
  }

  /** A loop has turned: connections that wait for one are placed, in order. */
  placeForLoop(pool: Pool): void {
    this.tryForLoop(pool)
    this.wish(pool)
    this.options.flush()
  }

  /** A worker has come or has room again: what waits is placed, in order, and waits on if no worker can have it still. */
  place(pool: Pool): void {
    if (pool.queue.length === 0) return
    const waiting: Queued[] = []
    for (const queued of pool.queue.removeForHome()) this.retry(pool, queued, waiting)
    pool.queue.putBack(waiting)
    this.placeForLoop(pool)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** Workers tell when their loops turn for as long as a connection waits for that. */
  private wish(pool: Pool): void {
    if (pool.queue.waitingForLoop === 0) return pool.unwant(this)
    // One may have turned between the look and the wish.
    if (pool.want(this)) this.tryForLoop(pool)
  }

  private tryForLoop(pool: Pool): void {
    const waiting: Queued[] = []
    while (waiting.length < MAX_TURNED_DOWN) {
      const queued = pool.queue.removeForLoop()
      if (queued === undefined) break
      const waitFor = this.retry(pool, queued, waiting)
      // No worker could have the next one either, unless it was the policy's own wish.
      if (waitFor === 'loop' || waitFor === 'recalled') break
    }
    pool.queue.putBack(waiting)
  }

  /** Places one that was taken out of the queue of `pool`; if it has to wait on there, it joins those that are `waiting` to be put back. Returns what it waits for. */
  private retry(pool: Pool, queued: Queued, waiting: Queued[]): WaitFor | undefined {
    const waits = this.options.place(queued)
    if (waits === undefined) return undefined
    // A reload may have brought it to another pool.
    if (waits.pool !== pool) this.add(waits, queued.arrival, queued.sinceMs)
    else waiting.push({ ...queued, waitFor: waits.waitFor })
    return waits.pool === pool ? waits.waitFor : undefined
  }

  private poll(): void {
    let isOver = true
    for (const pool of this.options.pools()) {
      for (const { arrival } of pool.queue.removeExpired(Date.now())) this.options.refuse(pool, arrival.fd, 'queue-timeout')
      this.place(pool)
      if (pool.keeping.poll() || pool.queue.length > 0) isOver = false
    }
    if (!isOver) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}
