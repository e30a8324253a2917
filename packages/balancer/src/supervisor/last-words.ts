// What workers said before they were ready, kept for the sentence that tells why they did not come up.

import type { PlannedSeat } from './plan.ts'
import { keyOf } from './seat-records.ts'

const MAX_LINES = 50
const MAX_LINE = 200

export class LastWords {
  private readonly lines = new Map<string, string[]>()

  add(seat: PlannedSeat, line: string): void {
    const lines = this.lines.get(keyOf(seat)) ?? []
    lines.push(line.trim().slice(0, MAX_LINE))
    this.lines.set(keyOf(seat), lines.slice(-MAX_LINES))
  }

  forget(seat: PlannedSeat): void {
    this.lines.delete(keyOf(seat))
  }

  /** Of an error with its stack the first line says it; then how it ended. Empty: nothing was said. */
  of(seat: PlannedSeat): string {
    const lines = this.lines.get(keyOf(seat)) ?? []
    return [lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-2), lines.at(-1)].filter((line) => line !== undefined).join('; ')
  }

  /** Of the first slot of a pool that has said something. */
  ofPool(pool: string): string {
    for (const key of this.lines.keys()) {
      if (key.startsWith(`${pool}/`)) return this.of({ pool, slot: Number(key.slice(pool.length + 1)) })
    }
    return ''
  }
}
