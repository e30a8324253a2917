// What the supervisor remembers of slots while their processes come and go: starts, failures, and when the next start is due.

import { restartDelayMs } from './plan.ts'
import type { PlannedSlot, SlotStarts } from './plan-input.ts'

const MAX_REMEMBERED = 1000

export interface PostponeOptions {
  /** The worker had been ready for a while: its failure is not one more in a row. */
  readonly wasStable: boolean
  /** False: the system refused the start. That is no fault of the app, so it never breaks the slot. */
  readonly isAppFault: boolean
  readonly firstMs: number
  readonly longestMs: number
  /** How long a failure is remembered. */
  readonly windowMs: number
}

/** A slot whose last start made no process. */
export interface NotStarted {
  readonly slot: number
  readonly message: string
  /** How many starts in a row. */
  readonly times: number
  readonly nextStartMs: number | undefined
}

export class SlotHistory {
  private readonly histories = new Map<string, SlotStarts>()
  private readonly starts = new Map<string, number>()
  private readonly failed = new Map<string, number>()
  private readonly notStarted = new Map<string, { readonly workerSlot: PlannedSlot; readonly message: string; readonly times: number }>()
  private readonly chance: () => number

  constructor(chance: () => number) {
    this.chance = chance
  }

  history(workerSlot: PlannedSlot): SlotStarts | undefined {
    return this.histories.get(keyOf(workerSlot))
  }

  countStart(workerSlot: PlannedSlot): void {
    this.notStarted.delete(keyOf(workerSlot))
    this.starts.set(keyOf(workerSlot), (this.starts.get(keyOf(workerSlot)) ?? 0) + 1)
  }

  /** Remembers that a start made no process, until one does. */
  recordNotStarted(workerSlot: PlannedSlot, message: string): void {
    this.notStarted.set(keyOf(workerSlot), { workerSlot, message, times: (this.notStarted.get(keyOf(workerSlot))?.times ?? 0) + 1 })
  }

  notStartedIn(pool: string): NotStarted[] {
    return [...this.notStarted.values()]
      .filter(({ workerSlot }) => workerSlot.pool === pool)
      .map(({ workerSlot, message, times }) => ({
        slot: workerSlot.slot,
        message,
        times,
        nextStartMs: this.history(workerSlot)?.startAtMs,
      }))
  }

  /** How often a process has replaced another in the slot. */
  restarts(workerSlot: PlannedSlot): number {
    return Math.max(0, (this.starts.get(keyOf(workerSlot)) ?? 0) - 1)
  }

  /** Counts a failure and sets when the slot may be filled again. Returns in how many milliseconds. */
  postpone(workerSlot: PlannedSlot, nowMs: number, { wasStable, isAppFault, firstMs, longestMs, windowMs }: PostponeOptions): number {
    const before = this.histories.get(keyOf(workerSlot))
    this.failed.set(workerSlot.pool, this.failuresOf(workerSlot.pool) + 1)
    const failures = wasStable ? 0 : (before?.failures ?? 0)
    const delayMs = restartDelayMs(failures, this.chance(), firstMs, longestMs)
    const remembered = (before?.failedMs ?? []).filter((atMs) => nowMs - atMs < windowMs)
    const failedMs = isAppFault ? [...remembered, nowMs].slice(-MAX_REMEMBERED) : remembered
    this.histories.set(keyOf(workerSlot), { failures: wasStable ? 0 : failures + 1, startAtMs: nowMs + delayMs, failedMs })
    return delayMs
  }

  /** How often workers of a pool have failed since the primary started. */
  failuresOf(pool: string): number {
    return this.failed.get(pool) ?? 0
  }

  /** An operator asks for the slot: its earlier failures no longer count. */
  clearFailures(workerSlot: PlannedSlot): void {
    this.histories.delete(keyOf(workerSlot))
  }
}

export function keyOf({ pool, slot }: PlannedSlot): string {
  return `${pool}/${slot}`
}
