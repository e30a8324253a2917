// Keeps the last lines that each worker printed, to say why workers did not come up.

import type { PlannedSlot } from './plan-input.ts'
import { keyOf } from './slot-history.ts'

const MAX_LINES = 50
const MAX_LINE = 200
const UNSUPPORTED_SYNTAX = 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX'
const TYPESCRIPT_REMEDY = "Node only strips types. For enums and the like install tsx, and set execArgv: ['--import', 'tsx'] for the pool"

export class ExitReasons {
  /** By worker, because a slot may have two. */
  private readonly lines = new WeakMap<PlannedSlot, string[]>()
  /** By slot: the reason of the last worker that did not come up. */
  private readonly failed = new Map<string, string>()

  add(worker: PlannedSlot, line: string): void {
    this.lines.set(worker, [...(this.lines.get(worker) ?? []), line.trim().slice(0, MAX_LINE)].slice(-MAX_LINES))
  }

  /** The line that names an error, or else the last but one, and the last line. Empty if the worker printed nothing. */
  of(worker: PlannedSlot): string {
    const lines = this.lines.get(worker) ?? []
    const said = [lines.find((line) => /^(\w*Error\b|FATAL ERROR)/.test(line)) ?? lines.at(-2), lines.at(-1)]
      .filter((line) => line !== undefined)
      .join('; ')
    return lines.some((line) => line.includes(UNSUPPORTED_SYNTAX)) ? `${said}. ${TYPESCRIPT_REMEDY}` : said
  }

  /** What the worker printed so far explains no failure. */
  onReady(worker: PlannedSlot): void {
    this.lines.delete(worker)
    this.failed.delete(keyOf(worker))
  }

  /** The worker exited before it was ready. */
  recordNeverReady(worker: PlannedSlot): void {
    this.failed.set(keyOf(worker), this.of(worker))
  }

  /** The system made no process, so there is no output. */
  recordNotStarted(workerSlot: PlannedSlot, why: string): void {
    this.failed.set(keyOf(workerSlot), why)
  }

  /** The first failure known of a pool's slots. */
  ofPool(pool: string): string {
    for (const [key, reason] of this.failed) if (key.startsWith(`${pool}/`) && reason !== '') return reason
    return 'its workers printed nothing'
  }
}
