// How late the event loop is, by how late a timer of ours fires: a look at a moment in ten costs nothing, and over some seconds they tell enough.

import type { LoadDetails } from '@switchyard/handoff'

/** Ten seconds of a timer that fires ten times a second. */
const REMEMBERED = 100

/** The last delays of a loop. */
export class LoopDelay {
  private readonly last: number[] = []
  private next = 0

  record(ms: number): void {
    this.last[this.next] = ms
    this.next = (this.next + 1) % REMEMBERED
  }

  /** Quantiles by nearest rank; 0 while nothing is known. */
  read(): LoadDetails['loopDelay'] {
    const sorted = [...this.last].sort((one, other) => one - other)
    const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1] ?? 0
    return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
  }
}
