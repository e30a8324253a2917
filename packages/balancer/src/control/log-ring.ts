// The last lines of the log and of what the workers printed, for `balancer logs`. Bounded in number and in the length of each.

import type { LogEntry } from './control-protocol.ts'

const maxEntries = 1_000
const maxLength = 8_192

/** Keeps the newest entries and passes on each that comes. */
export class LogRing {
  readonly #entries: LogEntry[] = []
  readonly #followers = new Set<(entry: LogEntry) => void>()
  /** Where the next one goes once the ring is full: there is the oldest. */
  #next = 0

  push(entry: LogEntry): void {
    const kept = cut(entry)
    if (this.#entries.length < maxEntries) this.#entries.push(kept)
    else {
      this.#entries[this.#next] = kept
      this.#next = (this.#next + 1) % maxEntries
    }
    for (const follower of this.#followers) follower(kept)
  }

  /** The newest that the condition holds of, at most `count`, oldest first. */
  last(count: number, condition: (entry: LogEntry) => boolean = () => true): LogEntry[] {
    const found = [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)].filter(condition)
    return count > 0 ? found.slice(-count) : []
  }

  /** Calls back for each entry from now on, until the returned function is called. */
  follow(follower: (entry: LogEntry) => void): () => void {
    this.#followers.add(follower)
    return () => void this.#followers.delete(follower)
  }
}

function cut(entry: LogEntry): LogEntry {
  const { msg } = entry
  if (msg.length <= maxLength) return entry
  // A copy: a slice would keep the whole text alive.
  const kept = Buffer.from(msg.slice(0, maxLength)).toString()
  return { ...entry, msg: `${kept}… (${msg.length - maxLength} more characters)` }
}
