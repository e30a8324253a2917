// Refused connections whose answer is on its way. Each stays open until its client closes it, or for a bounded time: closing at once would
// reset the connection before the client has read the answer.

/** By descriptor, in order of time. */
export class Lingering {
  private readonly timeoutMs: number
  private readonly since = new Map<number, number>()

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
  }

  get size(): number {
    return this.since.size
  }

  has(fd: number): boolean {
    return this.since.has(fd)
  }

  add(fd: number, nowMs: number): void {
    this.since.set(fd, nowMs)
  }

  /** False: it is not here. */
  delete(fd: number): boolean {
    return this.since.delete(fd)
  }

  /** The connections whose time is over at `nowMs`. They stay until they are deleted. */
  expired(nowMs: number): number[] {
    const expired: number[] = []
    for (const [fd, sinceMs] of this.since) {
      if (nowMs - sinceMs < this.timeoutMs) break
      expired.push(fd)
    }
    return expired
  }

  /** Removes and returns all. */
  removeAll(): number[] {
    const all = [...this.since.keys()]
    this.since.clear()
    return all
  }
}
