// What is remembered of seats while their processes come and go: starts, failures, and when the next start is due.

import { type PlannedSeat, restartDelayMs, type SeatHistory } from './plan.ts'

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

export class SeatRecords {
  private readonly histories = new Map<string, SeatHistory>()
  private readonly starts = new Map<string, number>()
  private readonly failed = new Map<string, number>()
  private readonly notStarted = new Map<string, { readonly seat: PlannedSeat; readonly message: string; readonly times: number }>()
  private readonly chance: () => number

  constructor(chance: () => number) {
    this.chance = chance
  }

  history(seat: PlannedSeat): SeatHistory | undefined {
    return this.histories.get(keyOf(seat))
  }

  countStart(seat: PlannedSeat): void {
    this.notStarted.delete(keyOf(seat))
    this.starts.set(keyOf(seat), (this.starts.get(keyOf(seat)) ?? 0) + 1)
  }

  /** A worker could not be started; until one can. */
  noteNotStarted(seat: PlannedSeat, message: string): void {
    this.notStarted.set(keyOf(seat), { seat, message, times: (this.notStarted.get(keyOf(seat))?.times ?? 0) + 1 })
  }

  notStartedIn(pool: string): NotStarted[] {
    return [...this.notStarted.values()]
      .filter(({ seat }) => seat.pool === pool)
      .map(({ seat, message, times }) => ({ slot: seat.slot, message, times, nextStartMs: this.history(seat)?.startAtMs }))
  }

  /** How often the seat was filled again. */
  restarts(seat: PlannedSeat): number {
    return Math.max(0, (this.starts.get(keyOf(seat)) ?? 0) - 1)
  }

  /** A worker has failed: sets when its seat may be filled again; gives in how many milliseconds. */
  postpone(seat: PlannedSeat, nowMs: number, { wasWell, isAppsFault, first, longest, windowMs }: PostponeOptions): number {
    const before = this.histories.get(keyOf(seat))
    this.failed.set(seat.pool, this.failuresOf(seat.pool) + 1)
    const failures = wasWell ? 0 : (before?.failures ?? 0)
    const delayMs = restartDelayMs(failures, this.chance(), first, longest)
    const remembered = (before?.failedMs ?? []).filter((atMs) => nowMs - atMs < windowMs)
    const failedMs = isAppsFault ? [...remembered, nowMs].slice(-MAX_REMEMBERED) : remembered
    this.histories.set(keyOf(seat), { failures: wasWell ? 0 : failures + 1, startAtMs: nowMs + delayMs, failedMs })
    return delayMs
  }

  /** How often workers of a pool have failed, since the start. */
  failuresOf(pool: string): number {
    return this.failed.get(pool) ?? 0
  }

  /** Somebody asks for the seat: what was before counts no more. */
  forgive(seat: PlannedSeat): void {
    this.histories.delete(keyOf(seat))
  }
}

export function keyOf({ pool, slot }: PlannedSeat): string {
  return `${pool}/${slot}`
}
