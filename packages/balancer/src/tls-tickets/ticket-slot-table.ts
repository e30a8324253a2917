// The slots of TLS session tickets that were issued at another slot, as workers report them. Bounded for each pool; the ticket that was used longest ago goes
// first.

/** A ticket and the slot that it belongs to. `name`: in base64url. */
export interface TicketOwner {
  readonly pool: string
  readonly name: string
  readonly slot: number
}

/** Tickets of one pool. */
const MAX_TICKETS = 10_000

export class TicketSlotTable {
  private readonly most: number
  /** By pool and name, the ticket that was used last at the end. */
  private readonly pools = new Map<string, Map<string, number>>()

  /** `most`: tickets of one pool. */
  constructor(most = MAX_TICKETS) {
    this.most = most
  }

  add({ pool, name, slot }: TicketOwner): void {
    const slots = this.pools.get(pool) ?? new Map<string, number>()
    this.pools.set(pool, slots)
    slots.delete(name)
    slots.set(name, slot)
    if (slots.size <= this.most) return
    const [oldest] = slots.keys()
    slots.delete(oldest as string)
  }

  slotOf(pool: string, name: string): number | undefined {
    const slots = this.pools.get(pool)
    const slot = slots?.get(name)
    if (slots === undefined || slot === undefined) return undefined
    slots.delete(name)
    slots.set(name, slot)
    return slot
  }

  /** A snapshot, the tickets of each pool that were used last at the end. */
  *entries(): Generator<TicketOwner> {
    for (const [pool, slots] of this.pools) for (const [name, slot] of [...slots]) yield { pool, name, slot }
  }
}
