// Counts the answers of a run's clients by kind, and their faults.

/** Described faults of one kind. All are counted. */
const MAX_MESSAGES = 5

export class Tally {
  private readonly counts = new Map<string, number>()
  private readonly faultCounts = new Map<string, number>()
  private readonly messages: string[] = []
  private readonly onFault: (what: string) => void

  /** `onFault`: called with each described fault. */
  constructor(onFault: (what: string) => void = () => {}) {
    this.onFault = onFault
  }

  count(kind: string, by = 1): void {
    this.counts.set(kind, this.countOf(kind) + by)
  }

  /** `kind`: such as `timed out`; `what` describes this fault. */
  fault(kind: string, what: string, by = 1): void {
    const before = this.faultCounts.get(kind) ?? 0
    this.faultCounts.set(kind, before + by)
    if (before >= MAX_MESSAGES) return
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

  /** The count of each kind of fault, and some descriptions. */
  get faults(): string[] {
    return [...[...this.faultCounts].map(([kind, count]) => `${count} × ${kind}`), ...this.messages]
  }
}
