// Connections that wait for a worker, of all pools: who may wait, for how long, and when they are placed again.

import type { Connection } from '@switchyard/handoff'
import type { RefusalReason } from '../events.ts'
import type { Pool } from './pool.ts'

const LOOK_MS = 50

export interface WaitingOptions {
  readonly pools: () => Iterable<Pool>
  readonly refuse: (pool: Pool, fd: number, reason: RefusalReason) => void
  /** Places a connection afresh: it is routed again, by the load of this moment, and may come back here. */
  readonly place: (connection: Connection) => void
  readonly flush: () => void
}

export class Waiting {
  private readonly options: WaitingOptions
  private timer: NodeJS.Timeout | undefined
  /** Since when the connection that is being placed has waited. */
  private sinceMs: number | undefined

  constructor(options: WaitingOptions) {
    this.options = options
  }

  add(pool: Pool, connection: Connection): void {
    if (pool.queue.isFull) return this.options.refuse(pool, connection.fd, 'queue-full')
    pool.queue.add(connection, this.sinceMs ?? Date.now())
    this.timer ??= setInterval(() => this.look(), LOOK_MS)
  }

  /** Something has changed for the better: whoever waits is placed, in order, and waits on if there is still nobody. */
  place(pool: Pool): void {
    if (pool.queue.length === 0) return
    for (const { connection, sinceMs } of pool.queue.takeAll()) {
      this.sinceMs = sinceMs
      this.options.place(connection)
    }
    this.sinceMs = undefined
    this.options.flush()
  }

  stop(): void {
    clearInterval(this.timer)
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
