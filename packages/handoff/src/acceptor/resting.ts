// Idle kept-alive connections that a worker has given to the primary to rest. Each is a descriptor that the kernel watches, and one row here.

import type { Connection } from '../channel.ts'
import type { ProxiedClient } from '../proxied-client.ts'

interface Row {
  readonly tag: number
  /** What a proxy said of its client. */
  readonly proxied: ProxiedClient | undefined
  /** Infinity: it rests until its client sends or hangs up. */
  readonly untilMs: number
}

/** A connection that was removed from here. */
export interface RestingConnection extends Row {
  readonly fd: number
}

/** By descriptor, in order of time. Beyond `limit` the connection that has rested longest is evicted. */
export class Resting {
  private readonly limit: number
  private readonly rows = new Map<number, Row>()

  constructor(limit: number) {
    this.limit = limit
  }

  get size(): number {
    return this.rows.size
  }

  /** `untilMs`: the end of its rest; undefined: none. Returns the descriptor that was evicted for it, if any. */
  add({ fd, tag, proxied }: Connection, untilMs: number | undefined): number | undefined {
    const oldest = this.rows.size >= this.limit ? this.removeOldest() : undefined
    this.rows.set(fd, { tag, proxied, untilMs: untilMs ?? Number.POSITIVE_INFINITY })
    return oldest
  }

  /** Removes the connection that has rested longest; undefined: there is none. */
  removeOldest(): number | undefined {
    const oldest = this.rows.keys().next().value
    if (oldest !== undefined) this.rows.delete(oldest)
    return oldest
  }

  /** Removes it; undefined: it is not here. */
  remove(fd: number): Row | undefined {
    const row = this.rows.get(fd)
    this.rows.delete(fd)
    return row
  }

  /** Removes the connections whose rest is over at `nowMs`. */
  removeExpired(nowMs: number): RestingConnection[] {
    const expired: RestingConnection[] = []
    for (const [fd, row] of this.rows) if (row.untilMs <= nowMs) expired.push({ fd, ...row })
    for (const { fd } of expired) this.rows.delete(fd)
    return expired
  }

  removeAll(): RestingConnection[] {
    return this.removeExpired(Number.POSITIVE_INFINITY)
  }
}
