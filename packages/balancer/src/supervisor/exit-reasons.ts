// What workers said before they ended, kept for the sentence that tells why they did not come up.

import type { PlannedSlot } from './plan.ts'
import { keyOf } from './slot-history.ts'

const MAX_LINES = 50
const MAX_LINE = 200

export class ExitReasons {
  /** Of each process for itself: two may share a seat. */
  private readonly lines = new WeakMap<PlannedSlot, string[]>()
  /** Of the last process of a seat that did not come up. */
  private readonly failed = new Map<string, string>()

  add(worker: PlannedSlot, line: string): void {
    this.lines.set(worker, [...(this.lines.get(worker) ?? []), line.trim().slice(0, MAX_LINE)].slice(-MAX_LINES))
  }

  /** Of an error with its stack the first line says it; then how it ended. Empty: nothing was said. */
  of(worker: PlannedSlot): string {
    const lines = this.lines.get(worker) ?? []
    return [lines.find((line) => /^(\w*Error\b|FATAL ERROR)/.test(line)) ?? lines.at(-2), lines.at(-1)]
      .filter((line) => line !== undefined)
      .join('; ')
  }

  /** It serves: what it said so far is no reason for anything. */
  cameUp(worker: PlannedSlot): void {
    this.lines.delete(worker)
    this.failed.delete(keyOf(worker))
  }

  /** It is gone and has never served. */
  didNotComeUp(worker: PlannedSlot): void {
    this.failed.set(keyOf(worker), this.of(worker))
  }

  /** There was none who could have said anything. */
  didNotStart(workerSlot: PlannedSlot, why: string): void {
    this.failed.set(keyOf(workerSlot), why)
  }

  /** Of the seat of a pool that failed first. */
  ofPool(pool: string): string {
    for (const [key, words] of this.failed) if (key.startsWith(`${pool}/`) && words !== '') return words
    return ''
  }
}
