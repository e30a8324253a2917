// Connections of one pool that wait for a worker, first in first out. Their bytes are still in the kernel: an entry is a descriptor and a time.

interface Waiting {
  readonly tag: number
  readonly sinceMs: number
}

export class Queue {
  private readonly limit: number
  private readonly timeoutMs: number
  private readonly entries = new Map<number, Waiting>()

  constructor(limit: number, timeoutMs: number) {
    this.limit = limit
    this.timeoutMs = timeoutMs
  }

  get length(): number {
    return this.entries.size
  }

  get isFull(): boolean {
    return this.entries.size >= this.limit
  }

  add(fd: number, tag: number, sinceMs: number): void {
    this.entries.set(fd, { tag, sinceMs })
  }

  /** Empties the queue, in order. */
  takeAll(): { fd: number; tag: number; sinceMs: number }[] {
    const all = [...this.entries].map(([fd, { tag, sinceMs }]) => ({ fd, tag, sinceMs }))
    this.entries.clear()
    return all
  }

  /** Removes those whose patience is over at `nowMs`. */
  takeExpired(nowMs: number): number[] {
    const expired: number[] = []
    for (const [fd, { sinceMs }] of this.entries) {
      if (nowMs - sinceMs >= this.timeoutMs) expired.push(fd)
    }
    for (const fd of expired) this.entries.delete(fd)
    return expired
  }
}
