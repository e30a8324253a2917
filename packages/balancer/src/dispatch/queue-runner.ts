// Runs the queues of all pools: which connection waits, for how long, and when the dispatcher places it again.

import type { Arrival } from '@switchyard/handoff'
import type { ClaimPoller } from './claim-poller.ts'
import type { Pool } from './pool.ts'
import type { Queued, WaitFor } from './queue.ts'

const POLL_MS = 50
/** After so many connections that custom policies turned down in a row, the rest waits for the next poll. */
const MAX_TURNED_DOWN = 16
const HOLD_OFF_MS = 1
/** Behind a queue of so many times the connections that could leave it at once, new connections may wait longer in the kernel. */
const LONG_QUEUE = 32
const LONG_HOLD_OFF_MS = 10

/** The pool in whose queue a connection has to wait, and what it waits for. */
export interface Wait {
  readonly pool: Pool
  readonly waitFor: WaitFor
}

/** What the queues need of the dispatcher. */
export interface QueuePlacer {
  /** Places a connection by the routes and the load of this moment. Undefined: it has left the queue; otherwise it has to wait on. */
  placeQueued(queued: Queued): Wait | undefined
  /** Refuses a connection that the queue of this pool can't hold. */
  refuseQueued(pool: Pool, queued: Queued, reason: 'queue-full' | 'queue-timeout'): void
  /** The connection is in a queue from now on. */
  onQueued(fd: number): void
}

export class QueueRunner {
  private readonly pools: ReadonlyMap<string, Pool>
  private readonly claims: ClaimPoller
  private placer!: QueuePlacer
  private timer: NodeJS.Timeout | undefined

  constructor(pools: ReadonlyMap<string, Pool>, claims: ClaimPoller) {
    this.pools = pools
    this.claims = claims
  }

  start(placer: QueuePlacer): void {
    this.placer = placer
  }

  /** Queues a connection that no worker can have now. If the queue is full, this or another connection is refused. */
  add({ pool, waitFor }: Wait, arrival: Arrival, sinceMs: number = Date.now()): void {
    const { fd, tag, carried, proxied, head, source } = arrival
    const queued = {
      arrival: { fd, tag, carried, proxied, head: head.keep(), source },
      sinceMs,
      waitFor,
      address: head.remoteAddress ?? '',
    }
    const refused = pool.queue.add(queued)
    if (refused !== undefined) this.placer.refuseQueued(pool, refused, 'queue-full')
    if (refused === queued) return
    this.placer.onQueued(fd)
    this.timer ??= setInterval(() => this.poll(), POLL_MS)
    if (waitFor === 'home') return
    if (pool.queue.waitingForLoop === pool.aheadFrom) this.tryForLoop(pool)
    this.subscribe(pool)
  }

  /** Removes the connection of a client that hung up. Returns whether it was queued; it is the caller's then. */
  remove(fd: number): boolean {
    for (const pool of this.pools.values()) {
      const queued = pool.queue.remove(fd)
      if (queued === undefined) continue
      pool.queueWaits.record(Date.now() - queued.sinceMs)
      return true
    }
    return false
  }

  /** Places connections that wait for a loop, in order: a loop has turned. */
  runForLoop(pool: Pool): void {
    this.tryForLoop(pool)
    this.subscribe(pool)
    this.claims.flush()
  }

  /** Places every waiting connection that it can, in order: a worker has come, or has room again. */
  run(pool: Pool): void {
    if (pool.queue.length === 0) return
    const waiting: Queued[] = []
    for (const queued of pool.queue.removeForHome()) this.retry(pool, queued, waiting)
    pool.queue.putBack(waiting)
    this.runForLoop(pool)
  }

  /**
   * How long arriving connections may wait in the kernel, in ms; 0: not at all. When every pool has a standing queue, whatever the route, taking in many
   * connections at once leaves the workers more of the processor.
   */
  get holdOffMs(): number {
    let ms = LONG_HOLD_OFF_MS
    for (const pool of this.pools.values()) {
      if (!pool.settings.listens) continue
      if (!pool.isSaturated) return 0
      if (pool.queue.waitingForLoop < pool.aheadFrom * LONG_QUEUE) ms = HOLD_OFF_MS
    }
    return ms
  }

  /** Stops for good. Returns the connections that waited; they are the caller's. */
  stop(): readonly Queued[] {
    clearInterval(this.timer)
    return [...this.pools.values()].flatMap((pool) => pool.queue.removeAll())
  }

  /** Workers signal their loop turns for as long as a connection waits for one. */
  private subscribe(pool: Pool): void {
    if (pool.queue.waitingForLoop === 0) return pool.unsubscribeTurns(this)
    // A loop may have turned between the attempt and the subscription.
    if (pool.subscribeTurns(this)) this.tryForLoop(pool)
  }

  private tryForLoop(pool: Pool): void {
    const waiting: Queued[] = []
    while (waiting.length < MAX_TURNED_DOWN) {
      const queued = pool.queue.removeForLoop()
      if (queued === undefined) break
      const waitFor = this.retry(pool, queued, waiting)
      // No worker can have the next connection either, unless it was the policy that turned this one down.
      if (waitFor === 'loop' || waitFor === 'recalled') break
    }
    pool.queue.putBack(waiting)
  }

  /** Places a connection that was taken out of the queue of `pool`. If it has to wait on there it joins `waiting`. Returns what it waits for. */
  private retry(pool: Pool, queued: Queued, waiting: Queued[]): WaitFor | undefined {
    const wait = this.placer.placeQueued(queued)
    if (wait === undefined) pool.queueWaits.record(Date.now() - queued.sinceMs)
    if (wait === undefined) return undefined
    // After a reload its route may lead to another pool.
    if (wait.pool !== pool) this.add(wait, queued.arrival, queued.sinceMs)
    else waiting.push({ ...queued, waitFor: wait.waitFor })
    return wait.pool === pool ? wait.waitFor : undefined
  }

  private poll(): void {
    let isOver = true
    for (const pool of this.pools.values()) {
      for (const queued of pool.queue.removeExpired(Date.now())) {
        pool.queueWaits.record(Date.now() - queued.sinceMs)
        this.placer.refuseQueued(pool, queued, 'queue-timeout')
      }
      this.run(pool)
      if (pool.keptConnections.poll() || pool.queue.length > 0) isOver = false
    }
    if (!isOver) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}
