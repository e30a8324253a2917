// Which workers may have which sessions in their caches, so that a change is reported to those only. A worker that got the report counts as
// a reader again after its next read.

export class SessionReaders<Reader> {
  private readonly maxIds: number
  private readonly readersOf = new Map<string, Set<Reader>>()
  /** Oldest first. */
  private readonly idsOf = new Map<Reader, Set<string>>()

  /** `maxIds`: remembered ids of each reader. */
  constructor(maxIds: number) {
    this.maxIds = maxIds
  }

  /** Adds a reader of an id. Returns an id that is no longer remembered for this reader: it must be reported as changed. */
  record(reader: Reader, id: string): string | undefined {
    const ids = this.idsOf.get(reader) ?? new Set()
    if (ids.has(id)) return undefined
    this.idsOf.set(reader, ids.add(id))
    const readers = this.readersOf.get(id) ?? new Set()
    this.readersOf.set(id, readers.add(reader))
    if (ids.size <= this.maxIds) return undefined
    const [oldest] = ids
    if (oldest !== undefined) this.removePair(reader, oldest)
    return oldest
  }

  /** Removes and returns the readers of an id, except the one that changed it. */
  removeReaders(id: string, except: Reader | undefined): Reader[] {
    const others = [...(this.readersOf.get(id) ?? [])].filter((reader) => reader !== except)
    for (const reader of others) this.removePair(reader, id)
    return others
  }

  /** Removes a worker that has exited. */
  remove(reader: Reader): void {
    for (const id of this.idsOf.get(reader) ?? []) this.removePair(reader, id)
    this.idsOf.delete(reader)
  }

  /** Removes and returns all readers. */
  removeAll(): Reader[] {
    const readers = [...this.idsOf.keys()]
    this.idsOf.clear()
    this.readersOf.clear()
    return readers
  }

  private removePair(reader: Reader, id: string): void {
    this.idsOf.get(reader)?.delete(id)
    const readers = this.readersOf.get(id)
    readers?.delete(reader)
    if (readers?.size === 0) this.readersOf.delete(id)
  }
}
