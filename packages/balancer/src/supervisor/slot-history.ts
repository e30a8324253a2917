// What is remembered of seats while their processes come and go: starts, failures, and when the next start is due.

import { restartDelayMs } from './plan.ts'
import type { PlannedSlot, SlotStarts } from './plan-input.ts'

const MAX_REMEMBERED = 1000

export interface PostponeOptions {
  /** Its worker had been ready for a while. */
  readonly wasWell: boolean
  /** A start that the system does not allow says nothing of the app: it breaks no seat. */
  readonly isAppsFault: boolean
  readonly first: number
  readonly longest: number
  /** For how long a failure is remembered. */
  readonly windowMs: number
}

/** A seat whose worker could not be started when that was last tried. */
export interface NotStarted {
  readonly slot: number
  readonly message: string
  /** So often in a row. */
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

  /** A worker could not be started; until one can. */
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

  /** How often the seat was filled again. */
  restarts(workerSlot: PlannedSlot): number {
    return Math.max(0, (this.starts.get(keyOf(workerSlot)) ?? 0) - 1)
  }

  /** A worker has failed: sets when its seat may be filled again; gives in how many milliseconds. */
  postpone(workerSlot: PlannedSlot, nowMs: number, { wasWell, isAppsFault, first, longest, windowMs }: PostponeOptions): number {
    const before = this.histories.get(keyOf(workerSlot))
    this.failed.set(workerSlot.pool, this.failuresOf(workerSlot.pool) + 1)
    const failures = wasWell ? 0 : (before?.failures ?? 0)
    const delayMs = restartDelayMs(failures, this.chance(), first, longest)
    const remembered = (before?.failedMs ?? []).filter((atMs) => nowMs - atMs < windowMs)
    const failedMs = isAppsFault ? [...remembered, nowMs].slice(-MAX_REMEMBERED) : remembered
    this.histories.set(keyOf(workerSlot), { failures: wasWell ? 0 : failures + 1, startAtMs: nowMs + delayMs, failedMs })
    return delayMs
  }

  /** How often workers of a pool have failed, since the start. */
  failuresOf(pool: string): number {
    return this.failed.get(pool) ?? 0
  }

  /** Somebody asks for the seat: what was before counts no more. */
  forgive(workerSlot: PlannedSlot): void {
    this.histories.delete(keyOf(workerSlot))
  }
}

export function keyOf({ pool, slot }: PlannedSlot): string {
  return `${pool}/${slot}`
}
