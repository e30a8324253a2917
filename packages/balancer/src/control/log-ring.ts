// Keeps the newest lines of the log and of the workers' output in memory, for `balancer logs`.

import type { LogEntry } from './control-protocol.ts'

const MAX_ENTRIES = 1_000
const MAX_LENGTH = 8_192

export class LogRing {
  private readonly entries: LogEntry[] = []
  private readonly followers = new Set<(entry: LogEntry) => void>()
  /** Index of the oldest entry once the ring is full: the next entry replaces it. */
  private next = 0

  push(entry: LogEntry): void {
    const kept = cut(entry)
    if (this.entries.length < MAX_ENTRIES) this.entries.push(kept)
    else {
      this.entries[this.next] = kept
      this.next = (this.next + 1) % MAX_ENTRIES
    }
    for (const follower of this.followers) follower(kept)
  }

  /** The newest entries that meet the condition, at most `count`, oldest first. */
  last(count: number, condition: (entry: LogEntry) => boolean = () => true): LogEntry[] {
    const found = [...this.entries.slice(this.next), ...this.entries.slice(0, this.next)].filter(condition)
    return count > 0 ? found.slice(-count) : []
  }

  /** Calls back for each new entry until the returned function is called. */
  follow(follower: (entry: LogEntry) => void): () => void {
    this.followers.add(follower)
    return () => void this.followers.delete(follower)
  }
}

function cut(entry: LogEntry): LogEntry {
  const { msg } = entry
  if (msg.length <= MAX_LENGTH) return entry
  // A copy: a slice keeps the whole text in memory.
  const kept = Buffer.from(msg.slice(0, MAX_LENGTH)).toString()
  return { ...entry, msg: `${kept}… (${msg.length - MAX_LENGTH} more characters)` }
}
