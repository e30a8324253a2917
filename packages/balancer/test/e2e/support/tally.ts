// What the clients of a run have seen: how much of each kind, and what went wrong.

/** Of one kind of fault so many are told in words; all are counted. */
const MAX_TOLD = 5

export class Tally {
  private readonly counts = new Map<string, number>()
  private readonly faultCounts = new Map<string, number>()
  private readonly messages: string[] = []
  private readonly onFault: (what: string) => void

  /** `tell`: hears of faults as they come. */
  constructor(tell: (what: string) => void = () => {}) {
    this.onFault = tell
  }

  count(kind: string, by = 1): void {
    this.counts.set(kind, this.countOf(kind) + by)
  }

  /** `kind`: such as `timed out`; `what` tells of this one. */
  fault(kind: string, what: string, by = 1): void {
    const before = this.faultCounts.get(kind) ?? 0
    this.faultCounts.set(kind, before + by)
    if (before >= MAX_TOLD) return
    this.messages.push(`${kind}: ${what}`)
    this.onFault(`${kind}: ${what}`)
  }

  countOf(kind: string): number {
    return this.counts.get(kind) ?? 0
  }

  /** The sum of several kinds. */
  sumOf(kinds: readonly string[]): number {
    return kinds.reduce((sum, kind) => sum + this.countOf(kind), 0)
  }

  /** Every kind with its count. */
  get all(): Record<string, number> {
    return Object.fromEntries(this.counts)
  }

  get faultCount(): number {
    return [...this.faultCounts.values()].reduce((sum, count) => sum + count, 0)
  }

  /** How often each kind of fault was seen, and some in words. */
  get faults(): string[] {
    return [...[...this.faultCounts].map(([kind, count]) => `${count} × ${kind}`), ...this.messages]
  }
}
