// Connections that wait for a worker, of all pools: who may wait, for how long, and when they are placed again.

import type { Connection } from '@switchyard/handoff'
import type { RefusalReason } from '../events.ts'
import type { Pool } from './pool.ts'
import type { Queued, WaitFor } from './queue.ts'

const LOOK_MS = 50
/** So many in a row may be turned down by policies of the user's own before the rest has to wait for the next look. */
const MAX_TURNED_DOWN = 16

export interface WaitingOptions {
  readonly pools: () => Iterable<Pool>
  readonly refuse: (pool: Pool, fd: number, reason: RefusalReason) => void
  /** Places a connection afresh: it is routed again, by the load of this moment, and may come back here. */
  readonly place: (entry: Queued) => void
  /** Watches whether the client of a connection leaves (then `left` is due), or no more. */
  readonly watch: (fd: number) => void
  readonly unwatch: (fd: number) => void
  readonly flush: () => void
}

export class Waiting {
  private readonly options: WaitingOptions
  private timer: NodeJS.Timeout | undefined
  /** The one that is being placed, and whether it has to wait on. */
  private placing: { readonly fd: number; waitsOn: boolean } | undefined

  constructor(options: WaitingOptions) {
    this.options = options
  }

  /** Nobody can have this connection now: it waits, or is refused. */
  add(pool: Pool, connection: Connection, waitFor: WaitFor): void {
    const { fd } = connection
    if (this.placing?.fd === fd) {
      this.placing.waitsOn = true
      return
    }
    // What had been chosen already is not refused: the windows of the channels bound it.
    if (pool.queue.isFull && waitFor !== 'recalled') return this.options.refuse(pool, fd, 'queue-full')
    pool.queue.add(connection, Date.now(), waitFor)
    this.options.watch(fd)
    this.timer ??= setInterval(() => this.look(), LOOK_MS)
    if (this.placing === undefined && waitFor !== 'home') this.wish(pool)
  }

  /** Somebody has been found for this connection. */
  found(fd: number): void {
    if (this.placing?.fd === fd) this.options.unwatch(fd)
  }

  /** The client of a connection has left; gives whether that waited here. */
  left(fd: number): boolean {
    for (const pool of this.options.pools()) if (pool.queue.remove(fd)) return true
    return false
  }

  /** A loop has turned: whoever waits for one is placed, in order. */
  placeForLoop(pool: Pool): void {
    this.tryForLoop(pool)
    this.wish(pool)
    this.options.flush()
  }

  /** A worker has come or has room again: whoever waits is placed, in order, and waits on if there is still nobody. */
  place(pool: Pool): void {
    if (pool.queue.length === 0) return
    for (const entry of pool.queue.eachForHome()) this.tryPlace(pool, entry)
    this.placeForLoop(pool)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** Workers tell when their loops turn for as long as somebody waits for that. */
  private wish(pool: Pool): void {
    if (pool.queue.waitingForLoop === 0) return pool.unwant(this)
    // One may have turned between the look and the wish.
    if (pool.want(this)) this.tryForLoop(pool)
  }

  private tryForLoop(pool: Pool): void {
    let turnedDown = 0
    for (const entry of pool.queue.eachForLoop()) {
      if (this.tryPlace(pool, entry)) continue
      // Who comes behind it would find nobody either, unless it was the policy's own wish.
      if (entry.waitFor !== 'policy' || ++turnedDown === MAX_TURNED_DOWN) return
    }
  }

  /** False: it waits on, where it was. */
  private tryPlace(pool: Pool, entry: Queued): boolean {
    const { fd } = entry.connection
    const placing = { fd, waitsOn: false }
    this.placing = placing
    this.options.place(entry)
    this.placing = undefined
    if (!placing.waitsOn) pool.queue.remove(fd)
    return !placing.waitsOn
  }

  private look(): void {
    let waiting = 0
    for (const pool of this.options.pools()) {
      for (const { fd } of pool.queue.takeExpired(Date.now())) this.options.refuse(pool, fd, 'queue-timeout')
      this.place(pool)
      waiting += pool.queue.length
    }
    if (waiting > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}
