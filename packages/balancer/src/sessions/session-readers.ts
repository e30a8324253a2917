// Which workers may still have what of the sessions, so that those and no others hear when it changes. Whoever has heard is forgotten until it reads again.

export class SessionReaders<Line> {
  private readonly maxIds: number
  private readonly linesOf = new Map<string, Set<Line>>()
  /** Oldest first. */
  private readonly idsOf = new Map<Line, Set<string>>()

  /** `maxIds`: of each line. */
  constructor(maxIds: number) {
    this.maxIds = maxIds
  }

  /** A line has it now. Gives an id that is forgotten for that, which the line must hear of. */
  record(line: Line, id: string): string | undefined {
    const ids = this.idsOf.get(line) ?? new Set()
    if (ids.has(id)) return undefined
    this.idsOf.set(line, ids.add(id))
    const lines = this.linesOf.get(id) ?? new Set()
    this.linesOf.set(id, lines.add(line))
    if (ids.size <= this.maxIds) return undefined
    const [oldest] = ids
    if (oldest !== undefined) this.drop(line, oldest)
    return oldest
  }

  /** It has changed: gives those who have it, but for who has changed it, and forgets them. */
  changed(id: string, by: Line | undefined): Line[] {
    const others = [...(this.linesOf.get(id) ?? [])].filter((line) => line !== by)
    for (const line of others) this.drop(line, id)
    return others
  }

  /** The worker is gone. */
  forget(line: Line): void {
    for (const id of this.idsOf.get(line) ?? []) this.drop(line, id)
    this.idsOf.delete(line)
  }

  /** Everything has changed: gives all who had something, and forgets what. */
  takeAll(): Line[] {
    const lines = [...this.idsOf.keys()]
    this.idsOf.clear()
    this.linesOf.clear()
    return lines
  }

  private drop(line: Line, id: string): void {
    this.idsOf.get(line)?.delete(id)
    const lines = this.linesOf.get(id)
    lines?.delete(line)
    if (lines?.size === 0) this.linesOf.delete(id)
  }
}
