// The upstream servers of visitors that are known by a cookie of the server's own (`learn`). Every proxy worker of the pool has the same table: what one of
// them learns goes to the primary, and from there to the others.

import { type VisitorSlots, valueGiven, visitorKey } from '@switchyard/routing'
import { isField } from '../../forward/raw-fields.ts'

export interface UpstreamVisitorsOptions {
  readonly pool: string
  readonly maxEntries: number
  readonly ttlMs: number
  /** Monotonic, in milliseconds. */
  readonly now: () => number
  /** May the server of this slot get requests? */
  readonly serves: (slot: number) => boolean
  /** This worker has learned visitors, or has seen them again after a while. */
  readonly onLearned: (slot: number, keys: readonly string[]) => void
}

interface Row {
  readonly slot: number
  untilMs: number
  /** From this time on the next request says again that the visitor is there. */
  announceMs: number
}

export class UpstreamVisitors implements VisitorSlots {
  private readonly options: UpstreamVisitorsOptions
  /** The most recent visitor last. */
  private readonly rows = new Map<string, Row>()

  constructor(options: UpstreamVisitorsOptions) {
    this.options = options
  }

  get size(): number {
    return this.rows.size
  }

  slotOf(pool: string, cookie: string, value: string): number | undefined {
    if (pool !== this.options.pool) return undefined
    const key = visitorKey(cookie, value)
    const row = this.find(key)
    if (row === undefined) return undefined
    this.store(key, row)
    if (this.options.now() >= row.announceMs) this.announce(key, row)
    return row.slot
  }

  /** The primary knows of these visitors. */
  receive(slot: number, keys: readonly string[]): void {
    for (const key of keys) this.store(key, this.row(slot))
  }

  /** An answer of this server's. The first server keeps a visitor for as long as it serves. */
  learn(slot: number, names: readonly string[], fields: readonly string[]): void {
    for (let at = 0; at < fields.length; at += 2) {
      if (!isField(fields[at] as string, 'set-cookie')) continue
      for (const name of names) {
        const value = valueGiven(fields[at + 1] as string, name)
        if (value !== undefined) this.give(slot, visitorKey(name, value))
      }
    }
  }

  private give(slot: number, key: string): void {
    const known = this.find(key)
    if (known !== undefined && (known.slot === slot || this.options.serves(known.slot))) return
    const row = this.row(slot)
    this.store(key, row)
    this.announce(key, row)
  }

  private row(slot: number): Row {
    const now = this.options.now()
    return { slot, untilMs: now + this.options.ttlMs, announceMs: now + this.options.ttlMs / 2 }
  }

  private find(key: string): Row | undefined {
    const row = this.rows.get(key)
    return row === undefined || row.untilMs <= this.options.now() ? undefined : row
  }

  private announce(key: string, row: Row): void {
    row.announceMs = this.options.now() + this.options.ttlMs / 2
    this.options.onLearned(row.slot, [key])
  }

  private store(key: string, row: Row): void {
    row.untilMs = this.options.now() + this.options.ttlMs
    this.rows.delete(key)
    this.rows.set(key, row)
    const [oldest] = this.rows.keys()
    if (this.rows.size > this.options.maxEntries && oldest !== undefined) this.rows.delete(oldest)
  }
}
