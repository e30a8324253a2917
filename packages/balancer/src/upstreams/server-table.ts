// The upstream servers of one pool by slot. Pure. A name with several addresses has a slot for each. A server keeps its slot while the config names it, and a
// slot that gets another address gets another generation, as the slot of a worker does.

import type { UpstreamAddress, UpstreamTarget } from '@switchyard/worker-runtime'

/** Slots of one pool. A list of more would not fit a message to the workers. */
const MAX_ROWS = 2_048

/** A server that the config names. */
export interface WantedServer {
  readonly server: UpstreamAddress
  readonly weight: number
  /** What its name stands for; undefined: not known, or it is no name. */
  readonly addresses: readonly string[] | undefined
}

/** One slot. */
export interface ServerRow {
  readonly slot: number
  /** The server's name. */
  readonly name: string
  generation: number
  address: string | undefined
  /** Has the name this address at present? A slot without one is kept for the name's next address. */
  isUsed: boolean
  /** Taken out of service. */
  isHeld: boolean
}

export class ServerTable {
  private readonly rows = new Map<number, ServerRow>()
  /** The last generation of each slot that was ever used. */
  private readonly generations = new Map<number, number>()
  private wanted = new Map<string, WantedServer>()

  /** Uses these servers from now on. */
  update(wanted: readonly WantedServer[]): void {
    this.wanted = new Map(wanted.map((one) => [one.server.name, one]))
    for (const [slot, { name }] of this.rows) if (!this.wanted.has(name)) this.rows.delete(slot)
    // The first address of each server comes first, so that slots are the indexes of the list where they can be.
    wanted.forEach(({ server: { name } }, index) => {
      if (!this.rowsOf(name).length) this.add(this.rows.has(index) ? this.freeSlot(0) : index, name)
    })
    for (const { server, addresses } of wanted) this.place(server.name, addresses ?? [undefined], wanted.length)
  }

  /** A later `update` with the same servers changes nothing. */
  get targets(): UpstreamTarget[] {
    return this.used.map(({ slot, generation, name, address, isHeld }) => {
      const { server, weight } = this.wanted.get(name) as WantedServer
      return { ...server, slot, generation, address, weight, isHeld }
    })
  }

  /** By slot. */
  get used(): ServerRow[] {
    return this.all.filter(({ isUsed }) => isUsed)
  }

  /** With slots that are kept for a name's next address. */
  get all(): ServerRow[] {
    return [...this.rows.values()].sort((one, other) => one.slot - other.slot)
  }

  row(slot: number): ServerRow | undefined {
    const row = this.rows.get(slot)
    return row?.isUsed === true ? row : undefined
  }

  /** Takes the slots of another primary's table over, for the servers that are wanted here too. */
  restore(rows: readonly ServerRow[]): void {
    this.rows.clear()
    for (const row of rows) {
      if (!this.wanted.has(row.name)) continue
      this.rows.set(row.slot, { ...row })
      this.generations.set(row.slot, Math.max(row.generation, this.generations.get(row.slot) ?? 0))
    }
    this.update([...this.wanted.values()])
  }

  private place(name: string, addresses: readonly (string | undefined)[], firstFree: number): void {
    const rows = this.rowsOf(name)
    const missing = addresses.filter((address) => !rows.some((row) => row.isUsed && row.address === address))
    const free = rows.filter((row) => !row.isUsed || !addresses.includes(row.address))
    for (const address of missing) {
      if (free.length === 0 && this.rows.size >= MAX_ROWS) break
      const row = free.shift() ?? this.add(this.freeSlot(firstFree), name)
      row.address = address
      row.isUsed = true
      row.generation = (this.generations.get(row.slot) ?? -1) + 1
      this.generations.set(row.slot, row.generation)
    }
    for (const row of free) row.isUsed = false
  }

  private add(slot: number, name: string): ServerRow {
    const row: ServerRow = { slot, name, generation: 0, address: undefined, isUsed: false, isHeld: false }
    this.rows.set(slot, row)
    return row
  }

  private rowsOf(name: string): ServerRow[] {
    return this.all.filter((row) => row.name === name)
  }

  private freeSlot(from: number): number {
    let slot = from
    while (this.rows.has(slot)) slot++
    return slot
  }
}
