// The visitor table of the primary: the slot of each visitor whose session cookie a worker has set (`learn`), bounded in number and age.
// Lookups never wait: entries of other balancers are added as they arrive.

import { VISITOR_KEY_LENGTH, type VisitorSlots, visitorKey } from '@switchyard/routing'
import type { StateTransfer } from '../state-transfer.ts'
import type { VisitorStatus } from '../status.ts'

/** Name of the table's StateTransfer; both primaries use it. */
export const VISITORS = 'visitors'

export interface VisitorTableOptions {
  readonly maxEntries: number
  /** An entry expires this long after its visitor's last request. */
  readonly ttlMs: number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Does this slot have a ready worker? */
  readonly isHeld: (pool: string, slot: number) => boolean
}

/** The slot of one visitor. `key`: see `visitorKey`. */
export interface VisitorEntry {
  readonly pool: string
  readonly key: string
  readonly slot: number
}

/** An entry is new, or is used again after half of `ttlMs`: other balancers should receive it. */
export type OnLearned = (entry: VisitorEntry, ttlMs: number) => void

interface VisitorRow {
  readonly slot: number
  untilMs: number
  /** From this time on the next request announces the entry again. */
  announceMs: number
}

const MAX_SLOT = 2 ** 16 - 1

export class VisitorTable implements VisitorSlots {
  private readonly counts: VisitorStatus = { kept: 0, learned: 0, moved: 0, evicted: 0, expired: 0 }
  private readonly options: VisitorTableOptions
  private readonly listeners: OnLearned[] = []
  private maxEntries: number
  private ttlMs: number
  /** By `tableKey`, the most recent visitor last. All entries live equally long, so they expire in this order too. */
  private readonly rows = new Map<string, VisitorRow>()

  constructor(options: VisitorTableOptions) {
    this.options = options
    this.maxEntries = options.maxEntries
    this.ttlMs = options.ttlMs
  }

  subscribe(onLearned: OnLearned): void {
    this.listeners.push(onLearned)
  }

  /** Applies the bounds of a reload. */
  configure({ maxEntries, ttlMs }: Pick<VisitorTableOptions, 'maxEntries' | 'ttlMs'>): void {
    this.maxEntries = maxEntries
    this.ttlMs = ttlMs
    this.trim()
  }

  slotOf(pool: string, cookie: string, value: string): number | undefined {
    const key = visitorKey(cookie, value)
    const row = this.find(tableKey(pool, key))
    if (row !== undefined) this.use(pool, key, row)
    return row?.slot
  }

  /** A worker has set these visitors' cookie. The first slot keeps a visitor for as long as it has a ready worker. */
  learn(pool: string, slot: number, keys: readonly string[]): void {
    for (const key of keys) {
      const row = this.find(tableKey(pool, key))
      if (row?.slot === slot) this.use(pool, key, row)
      if (row !== undefined && (row.slot === slot || this.options.isHeld(pool, row.slot))) continue
      if (row === undefined) this.counts.learned++
      else this.counts.moved++
      const fresh = { slot, untilMs: this.options.now() + this.ttlMs, announceMs: 0 }
      this.store(tableKey(pool, key), fresh)
      this.announce(pool, key, fresh)
    }
  }

  /** Adds an entry of another primary, without announcing it. Ignores impossible values. */
  receive({ pool, key, slot }: VisitorEntry): void {
    if (key.length !== VISITOR_KEY_LENGTH || !Number.isInteger(slot) || slot < 0 || slot > MAX_SLOT) return
    const now = this.options.now()
    this.store(tableKey(pool, key), { slot, untilMs: now + this.ttlMs, announceMs: now + this.ttlMs / 2 })
  }

  /** The same, unless the visitor has an entry already. */
  receiveOlder(entry: VisitorEntry): void {
    if (this.find(tableKey(entry.pool, entry.key)) === undefined) this.receive(entry)
  }

  /** A snapshot of all entries, the most recent visitor last. */
  *entries(): Generator<VisitorEntry> {
    for (const [name, { slot }] of [...this.rows]) yield { ...visitorOf(name), slot }
  }

  status(): VisitorStatus {
    this.trim()
    return { ...this.counts, kept: this.rows.size }
  }

  private find(name: string): VisitorRow | undefined {
    const row = this.rows.get(name)
    if (row === undefined || row.untilMs > this.options.now()) return row
    this.rows.delete(name)
    this.counts.expired++
    return undefined
  }

  /** The visitor is there again. */
  private use(pool: string, key: string, row: VisitorRow): void {
    const now = this.options.now()
    row.untilMs = now + this.ttlMs
    this.store(tableKey(pool, key), row)
    if (now >= row.announceMs) this.announce(pool, key, row)
  }

  private store(name: string, row: VisitorRow): void {
    this.rows.delete(name)
    this.rows.set(name, row)
    this.trim()
  }

  private announce(pool: string, key: string, row: VisitorRow): void {
    row.announceMs = this.options.now() + this.ttlMs / 2
    for (const onLearned of this.listeners) onLearned({ pool, key, slot: row.slot }, this.ttlMs)
  }

  /** Removes expired entries, and the oldest beyond `maxEntries`. */
  private trim(): void {
    const now = this.options.now()
    for (const [name, { untilMs }] of this.rows) {
      if (untilMs <= now) this.counts.expired++
      else if (this.rows.size > this.maxEntries) this.counts.evicted++
      else break
      this.rows.delete(name)
    }
  }
}

/** The key of a visitor of a pool, here and in Redis. */
export function tableKey(pool: string, key: string): string {
  return key + pool
}

/** The pool and visitor of such a key. */
export function visitorOf(name: string): Pick<VisitorEntry, 'pool' | 'key'> {
  return { pool: name.slice(VISITOR_KEY_LENGTH), key: name.slice(0, VISITOR_KEY_LENGTH) }
}

/** Copies the table to a new primary. */
export function visitorTransfer(table: VisitorTable): StateTransfer {
  return {
    name: VISITORS,
    entries: () => table.entries(),
    receive: (entry) => {
      const { pool, key, slot } = entry as VisitorEntry
      if (typeof pool === 'string' && typeof key === 'string' && typeof slot === 'number') table.receive({ pool, key, slot })
    },
  }
}
