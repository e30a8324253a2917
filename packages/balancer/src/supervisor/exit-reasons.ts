// Keeps the last lines that workers printed before they exited, for the sentence that says why they did not come up.

import type { PlannedSlot } from './plan-input.ts'
import { keyOf } from './slot-history.ts'

const MAX_LINES = 50
const MAX_LINE = 200

export class ExitReasons {
  /** By process: two may share a slot. */
  private readonly lines = new WeakMap<PlannedSlot, string[]>()
  /** By slot, of the last process that did not come up. */
  private readonly failed = new Map<string, string>()

  add(worker: PlannedSlot, line: string): void {
    this.lines.set(worker, [...(this.lines.get(worker) ?? []), line.trim().slice(0, MAX_LINE)].slice(-MAX_LINES))
  }

  /** The line that names the error, or else the last but one, and the last line. Empty: the worker printed nothing. */
  of(worker: PlannedSlot): string {
    const lines = this.lines.get(worker) ?? []
    return [lines.find((line) => /^(\w*Error\b|FATAL ERROR)/.test(line)) ?? lines.at(-2), lines.at(-1)]
      .filter((line) => line !== undefined)
      .join('; ')
  }

  /** The worker is ready, so its output so far explains no failure. */
  cameUp(worker: PlannedSlot): void {
    this.lines.delete(worker)
    this.failed.delete(keyOf(worker))
  }

  /** The worker exited and had never been ready. */
  didNotComeUp(worker: PlannedSlot): void {
    this.failed.set(keyOf(worker), this.of(worker))
  }

  /** No process could be made, so there is no output. */
  didNotStart(workerSlot: PlannedSlot, why: string): void {
    this.failed.set(keyOf(workerSlot), why)
  }

  /** Why the slot of a pool that failed first did not come up. */
  sentenceFor(pool: string): string {
    for (const [key, words] of this.failed) if (key.startsWith(`${pool}/`) && words !== '') return words
    return 'it said nothing'
  }
}
