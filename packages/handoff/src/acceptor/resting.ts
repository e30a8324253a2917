// Idle kept-alive connections that a worker has given to the primary to rest. Each is a descriptor that the kernel watches, and one row here.

interface Row {
  readonly tag: number
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
  add(fd: number, tag: number, untilMs: number | undefined): number | undefined {
    const oldest = this.rows.size >= this.limit ? this.removeOldest() : undefined
    this.rows.set(fd, { tag, untilMs: untilMs ?? Number.POSITIVE_INFINITY })
    return oldest
  }

  /** Removes the connection that has rested longest; undefined: there is none. */
  removeOldest(): number | undefined {
    const oldest = this.rows.keys().next().value
    if (oldest !== undefined) this.rows.delete(oldest)
    return oldest
  }

  /** Removes it and returns its tag; undefined: it is not here. */
  remove(fd: number): number | undefined {
    const row = this.rows.get(fd)
    this.rows.delete(fd)
    return row?.tag
  }

  /** Removes the connections whose rest is over at `nowMs`. */
  removeExpired(nowMs: number): RestingConnection[] {
    const expired: RestingConnection[] = []
    for (const [fd, { tag, untilMs }] of this.rows) if (untilMs <= nowMs) expired.push({ fd, tag, untilMs })
    for (const { fd } of expired) this.rows.delete(fd)
    return expired
  }

  removeAll(): RestingConnection[] {
    return this.removeExpired(Number.POSITIVE_INFINITY)
  }
}
