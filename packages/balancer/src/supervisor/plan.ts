// What should be done now so that the workers become what they ought to be: a pure function of what is wanted, what is there, and the time.
// Every rule of a worker's life is a row here; the supervisor only carries the actions out.

/** A worker's seat in its pool. */
export interface PlannedSeat {
  readonly pool: string
  readonly slot: number
}

/** A worker's process as far as the plan needs it. */
export interface PlannedWorker extends PlannedSeat {
  readonly id: number
  readonly state: 'starting' | 'ready' | 'draining'
  /** When it was started; while draining, when that began. */
  readonly sinceMs: number
  /** It has said that nothing is left in it. */
  readonly drained: boolean
  /** When it was asked to leave, if it was. */
  readonly leavingMs: number | undefined
}

/** What is remembered of a seat while its processes come and go. */
export interface SeatHistory {
  /** Exits in a row that came before the worker had been ready for a while. */
  readonly failures: number
  /** Not before this moment may the next process start. */
  readonly startAtMs: number
}

export interface Desired {
  readonly seats: readonly PlannedSeat[]
  readonly stopping: boolean
  readonly startTimeoutMs: number
  readonly drainTimeoutMs: number
}

export interface Actual {
  readonly workers: readonly PlannedWorker[]
  readonly history: (seat: PlannedSeat) => SeatHistory | undefined
  /** Pools of which a worker has been ready since the start. */
  readonly provenPools: ReadonlySet<string>
}

export type Action =
  | { readonly do: 'start'; readonly seat: PlannedSeat }
  | { readonly do: 'drain'; readonly id: number }
  | { readonly do: 'leave'; readonly id: number }
  | { readonly do: 'kill'; readonly id: number; readonly why: string }
  | { readonly do: 'give-up'; readonly pool: string }

/** Actions for now, and the next moment at which time alone may call for another. */
export interface Plan {
  readonly actions: readonly Action[]
  readonly nextMs: number
}

/** How long a worker that was asked to leave may take before it is killed. */
export const LEAVE_MS = 5000

/** The actions that bring `actual` nearer to `desired` at the moment `nowMs`. Changes nothing. */
export function plan(desired: Desired, actual: Actual, nowMs: number): Plan {
  const actions: Action[] = []
  let nextMs = Number.POSITIVE_INFINITY
  /** Is the moment here? Else remember it. */
  const isDue = (atMs: number): boolean => {
    if (nowMs >= atMs) return true
    nextMs = Math.min(nextMs, atMs)
    return false
  }

  for (const worker of actual.workers) {
    if (worker.leavingMs !== undefined) {
      if (isDue(worker.leavingMs + LEAVE_MS)) actions.push(kill(worker, `it did not leave within ${LEAVE_MS} ms`))
    } else if (worker.state === 'draining') {
      if (worker.drained) actions.push({ do: 'leave', id: worker.id })
      else if (isDue(worker.sinceMs + desired.drainTimeoutMs))
        actions.push(kill(worker, `it had not drained within ${desired.drainTimeoutMs} ms`))
    } else if (desired.stopping) {
      if (worker.state === 'ready') actions.push({ do: 'drain', id: worker.id })
      else actions.push({ do: 'leave', id: worker.id })
    } else if (worker.state === 'starting' && isDue(worker.sinceMs + desired.startTimeoutMs)) {
      actions.push(kill(worker, `it did not listen within ${desired.startTimeoutMs} ms`))
    }
  }

  if (desired.stopping) return { actions, nextMs }

  const lost = lostPools(desired, actual)
  for (const pool of lost) actions.push({ do: 'give-up', pool })
  for (const seat of desired.seats) {
    if (lost.includes(seat.pool)) continue
    if (actual.workers.some((worker) => worker.pool === seat.pool && worker.slot === seat.slot)) continue
    if (awaitsVerdict(seat, actual)) continue
    if (isDue(actual.history(seat)?.startAtMs ?? nowMs)) actions.push({ do: 'start', seat })
  }
  return { actions, nextMs }
}

/** Pools whose every seat has failed before any worker was ever ready: trying again would only repeat it. */
function lostPools(desired: Desired, actual: Actual): string[] {
  const pools = new Set(desired.seats.map((seat) => seat.pool))
  return [...pools].filter((pool) => {
    if (actual.provenPools.has(pool)) return false
    if (actual.workers.some((worker) => worker.pool === pool)) return false
    return desired.seats.every((seat) => seat.pool !== pool || (actual.history(seat)?.failures ?? 0) > 0)
  })
}

/** A seat that has failed in a pool where nobody was ever ready: what becomes of the first starts of the others decides whether there is a second. */
function awaitsVerdict(seat: PlannedSeat, actual: Actual): boolean {
  if (actual.provenPools.has(seat.pool) || (actual.history(seat)?.failures ?? 0) === 0) return false
  return actual.workers.some((worker) => worker.pool === seat.pool)
}

function kill(worker: PlannedWorker, why: string): Action {
  return { do: 'kill', id: worker.id, why }
}

/**
 * How long to wait before the next start: exponential with full jitter in the upper half (Brooker, "Exponential Backoff and Jitter", 2015).
 * `failures`: in a row, 0 for a worker that had been well. `chance`: 0 to 1.
 */
export function restartDelayMs(failures: number, chance: number, firstMs: number, longestMs: number): number {
  const whole = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30))
  return Math.round(whole / 2 + (whole / 2) * chance)
}
