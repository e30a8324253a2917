// Idle kept-alive connections that a worker has left to the primary: each is a descriptor, watched by the kernel, and one row here.

interface Row {
  readonly tag: number
  /** Infinite: its patience has no end. */
  readonly untilMs: number
}

/** One that does not rest here any more. */
export interface RestingConnection extends Row {
  readonly fd: number
}

/** Bounded: beyond `limit` the one that has rested longest has to go. */
export class Resting {
  private readonly limit: number
  private readonly rows = new Map<number, Row>()

  constructor(limit: number) {
    this.limit = limit
  }

  get size(): number {
    return this.rows.size
  }

  /** `untilMs`: when its patience is over; undefined: never. Gives the descriptor that had to go for it, if one had. */
  add(fd: number, tag: number, untilMs: number | undefined): number | undefined {
    const oldest = this.rows.size >= this.limit ? this.removeOldest() : undefined
    this.rows.set(fd, { tag, untilMs: untilMs ?? Number.POSITIVE_INFINITY })
    return oldest
  }

  /** Takes the one that has rested longest; undefined: there is none. */
  removeOldest(): number | undefined {
    const oldest = this.rows.keys().next().value
    if (oldest !== undefined) this.rows.delete(oldest)
    return oldest
  }

  /** It rests no more; gives its tag. Undefined: it did not rest. */
  remove(fd: number): number | undefined {
    const row = this.rows.get(fd)
    this.rows.delete(fd)
    return row?.tag
  }

  /** Takes those whose patience is over at `nowMs`. */
  removeExpired(nowMs: number): RestingConnection[] {
    const expired: RestingConnection[] = []
    for (const [fd, { tag, untilMs }] of this.rows) if (untilMs <= nowMs) expired.push({ fd, tag, untilMs })
    for (const { fd } of expired) this.rows.delete(fd)
    return expired
  }

  /** Takes all. */
  removeAll(): RestingConnection[] {
    return this.removeExpired(Number.POSITIVE_INFINITY)
  }
}
