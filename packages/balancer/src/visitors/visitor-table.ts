// Where visitors belong whom workers have told of (`learn`): a table in the primary, bounded in number and age, which is asked when a worker is picked. Nothing in it
// ever waits for anybody: what other balancers know comes in when it comes.

import { VISITOR_KEY_LENGTH, type VisitorSlots, visitorKey } from '@switchyard/routing'
import type { VisitorStatus } from '../status.ts'
import type { StateTransfer } from '../upgrade/state-transfer.ts'

/** Name of the table's StateTransfer; both primaries use it. */
export const VISITORS = 'visitors'

export interface VisitorTableOptions {
  readonly maxEntries: number
  /** A visitor who has not come for so long is forgotten. */
  readonly ttlMs: number
  /** Milliseconds of a clock that only grows. */
  readonly now: () => number
  /** Has this slot of a pool a worker that is ready? */
  readonly isHeld: (pool: string, slot: number) => boolean
  /** Something was learned, or is still in use after a good part of `ttlMs`: others may want to know. */
  readonly onLearned: (entry: VisitorEntry, ttlMs: number) => void
}

/** Where one visitor belongs. `key`: as `visitorKey` makes it. */
export interface VisitorEntry {
  readonly pool: string
  readonly key: string
  readonly slot: number
}

interface VisitorRow {
  readonly slot: number
  untilMs: number
  /** When others are to hear of it again. */
  announceMs: number
}

const MAX_SLOT = 2 ** 16 - 1

export class VisitorTable implements VisitorSlots {
  private readonly counts: VisitorStatus = { kept: 0, learned: 0, moved: 0, evicted: 0, expired: 0 }
  private readonly options: VisitorTableOptions
  private maxEntries: number
  private ttlMs: number
  /** By pool and key, whoever came last at the end. Since each has the same time to live, they end in this order too. */
  private readonly rows = new Map<string, VisitorRow>()

  constructor(options: VisitorTableOptions) {
    this.options = options
    this.maxEntries = options.maxEntries
    this.ttlMs = options.ttlMs
  }

  /** A reload has brought other bounds. */
  configure({ maxEntries, ttlMs }: Pick<VisitorTableOptions, 'maxEntries' | 'ttlMs'>): void {
    this.maxEntries = maxEntries
    this.ttlMs = ttlMs
    this.trim()
  }

  slotOf(pool: string, cookie: string, value: string): number | undefined {
    const key = visitorKey(cookie, value)
    const name = tableKey(pool, key)
    const known = this.find(name)
    if (known === undefined) return undefined
    const now = this.options.now()
    known.untilMs = now + this.ttlMs
    this.keep(name, known)
    if (now >= known.announceMs) this.announce(pool, key, known)
    return known.slot
  }

  /** A worker has given these visitors their cookie. Who made it first has them for as long as there is a worker in its slot. */
  learn(pool: string, slot: number, keys: readonly string[]): void {
    for (const key of keys) {
      const known = this.find(tableKey(pool, key))
      if (known !== undefined && (known.slot === slot || this.options.isHeld(pool, known.slot))) continue
      if (known === undefined) this.counts.learned++
      else this.counts.moved++
      const fresh = { slot, untilMs: this.options.now() + this.ttlMs, announceMs: 0 }
      this.keep(tableKey(pool, key), fresh)
      this.announce(pool, key, fresh)
    }
  }

  /** Another primary knows this. Nobody is told of it again. Anything that makes no sense is passed over. */
  receive({ pool, key, slot }: VisitorEntry): void {
    if (key.length !== VISITOR_KEY_LENGTH || !Number.isInteger(slot) || slot < 0 || slot > MAX_SLOT) return
    const now = this.options.now()
    this.keep(tableKey(pool, key), { slot, untilMs: now + this.ttlMs, announceMs: now + this.ttlMs / 2 })
  }

  /** The same, unless it is known here. */
  receiveOlder(entry: VisitorEntry): void {
    if (this.find(tableKey(entry.pool, entry.key)) === undefined) this.receive(entry)
  }

  /** All of them at this moment, whoever came last at the end. */
  *entries(): Generator<VisitorEntry> {
    for (const [name, { slot }] of [...this.rows]) yield { ...visitorOf(name), slot }
  }

  /** The counts of this moment. */
  status(): VisitorStatus {
    this.trim()
    return { ...this.counts, kept: this.rows.size }
  }

  private find(name: string): VisitorRow | undefined {
    const known = this.rows.get(name)
    if (known === undefined || known.untilMs > this.options.now()) return known
    this.rows.delete(name)
    this.counts.expired++
    return undefined
  }

  private keep(name: string, known: VisitorRow): void {
    this.rows.delete(name)
    this.rows.set(name, known)
    this.trim()
  }

  private announce(pool: string, key: string, known: VisitorRow): void {
    known.announceMs = this.options.now() + this.ttlMs / 2
    this.options.onLearned({ pool, key, slot: known.slot }, this.ttlMs)
  }

  /** Forgets those whose time is over, and those that are too many. */
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

/** What a visitor of a pool is called by in tables. */
export function tableKey(pool: string, key: string): string {
  return key + pool
}

/** Whom such a name stands for. */
export function visitorOf(name: string): Pick<VisitorEntry, 'pool' | 'key'> {
  return { pool: name.slice(VISITOR_KEY_LENGTH), key: name.slice(0, VISITOR_KEY_LENGTH) }
}

/** Copies the table to a new primary. */
export function visitorTransfer(learned: VisitorTable): StateTransfer {
  return {
    name: VISITORS,
    entries: () => learned.entries(),
    receive: (entry) => {
      const { pool, key, slot } = entry as VisitorEntry
      if (typeof pool === 'string' && typeof key === 'string' && typeof slot === 'number') learned.receive({ pool, key, slot })
    },
  }
}
