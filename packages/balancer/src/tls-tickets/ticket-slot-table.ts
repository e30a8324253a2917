// The slots of TLS session tickets that were issued at another slot, as workers report them. Bounded for each pool; the ticket that was used longest ago goes
// first.

import type { TicketHome } from '@switchyard/routing'

/** A ticket and the slot that it belongs to. `name`: in base64url. */
export interface TicketOwner {
  readonly pool: string
  readonly name: string
  readonly slot: number
}

/** Tickets of one pool. */
const MAX_TICKETS = 10_000
/**
 * How long a client belongs to a slot whatever the load there. A client that has begun an engine.io session opens its other connections at once; later each
 * of them is reported again.
 */
const FIRM_MS = 10_000

interface TicketRow {
  readonly slot: number
  readonly firmUntilMs: number
}

export class TicketSlotTable {
  private readonly now: () => number
  private readonly most: number
  /** By pool and name, the ticket that was used last at the end. */
  private readonly pools = new Map<string, Map<string, TicketRow>>()

  /** `now`: milliseconds of a monotonic clock. `most`: tickets of one pool. */
  constructor(now: () => number, most = MAX_TICKETS) {
    this.now = now
    this.most = most
  }

  /** `firm`: the client has a session at the slot. */
  add({ pool, name, slot }: TicketOwner, firm = false): void {
    const rows = this.pools.get(pool) ?? new Map<string, TicketRow>()
    this.pools.set(pool, rows)
    rows.delete(name)
    rows.set(name, { slot, firmUntilMs: firm ? this.now() + FIRM_MS : 0 })
    if (rows.size <= this.most) return
    const [oldest] = rows.keys()
    rows.delete(oldest as string)
  }

  homeOf(pool: string, name: string): TicketHome | undefined {
    const rows = this.pools.get(pool)
    const row = rows?.get(name)
    if (rows === undefined || row === undefined) return undefined
    rows.delete(name)
    rows.set(name, row)
    return { slot: row.slot, firm: row.firmUntilMs > this.now() }
  }

  /** A snapshot, the tickets of each pool that were used last at the end. */
  *entries(): Generator<TicketOwner> {
    for (const [pool, rows] of this.pools) for (const [name, { slot }] of [...rows]) yield { pool, name, slot }
  }
}
