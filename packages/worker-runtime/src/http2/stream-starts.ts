// Gives streams to the app for at most a few milliseconds of one turn of the event loop. What one client sends at once may be hundreds of requests; those that are left
// wait until the other connections have been read, and the connections that have some take turns.

/** More than a hundred small requests. */
const TURN_MS = 5

type Start = () => void

export class StreamStarts {
  /** Is the time of this turn over? Then starts have to be added. */
  isFull = false
  private readonly now: () => number
  private spentMs = 0
  /** By connection, each in the order in which its streams came. */
  private readonly waiting = new Map<object, Start[]>()

  constructor(now = () => performance.now()) {
    this.now = now
  }

  /** Calls `start` soon, behind those of this connection that were added before. */
  add(connection: object, start: Start): void {
    this.fill()
    const same = this.waiting.get(connection)
    if (same === undefined) this.waiting.set(connection, [start])
    else same.push(start)
  }

  /** Calls `start` now. */
  run(start: Start): void {
    const begunMs = this.now()
    try {
      start()
    } finally {
      this.spentMs += this.now() - begunMs
      if (this.spentMs >= TURN_MS) this.fill()
    }
  }

  private fill(): void {
    if (!this.isFull) setImmediate(this.goOn)
    this.isFull = true
  }

  /** Immediates run once in a turn, behind the reads. */
  private readonly goOn = (): void => {
    this.spentMs = 0
    this.isFull = false
    try {
      for (const [connection, starts] of this.waiting) {
        if (this.isFull) return
        // The connection goes behind the others.
        this.waiting.delete(connection)
        const start = starts.shift()
        if (starts.length > 0) this.waiting.set(connection, starts)
        if (start !== undefined) this.run(start)
      }
    } finally {
      // More streams may come in between, and those that wait go first.
      if (this.waiting.size > 0) this.fill()
    }
  }
}
