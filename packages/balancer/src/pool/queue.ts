// Connections of one pool that wait for a worker, first in first out. Their bytes are still in the kernel, but for what another worker had read.

import type { Connection } from '@switchyard/handoff'

/** A connection that waits. */
export interface Queued {
  readonly connection: Connection
  readonly sinceMs: number
}

export class Queue {
  private readonly limit: number
  private readonly timeoutMs: number
  private readonly entries = new Set<Queued>()

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

  add(connection: Connection, sinceMs: number): void {
    this.entries.add({ connection, sinceMs })
  }

  /** Empties the queue, in order. */
  takeAll(): Queued[] {
    const all = [...this.entries]
    this.entries.clear()
    return all
  }

  /** Removes those whose patience is over at `nowMs`. */
  takeExpired(nowMs: number): Connection[] {
    const expired = [...this.entries].filter(({ sinceMs }) => nowMs - sinceMs >= this.timeoutMs)
    for (const entry of expired) this.entries.delete(entry)
    return expired.map(({ connection }) => connection)
  }
}
