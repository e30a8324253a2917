// Bounds how many workers start at the same time. Many processes that start at once share the cores, and none would listen within its `startTimeoutMs`.

import type { Actual, Desired, PlannedWorker, PoolTarget } from './plan-input.ts'

export class StartRoom {
  private readonly most: number
  private readonly actual: Actual
  private left: number
  /** By pool: room that was taken. */
  private readonly takenBy = new Map<string, number>()

  /** The room that is left beside the workers that start already. */
  constructor({ startsAtOnce }: Pick<Desired, 'startsAtOnce'>, actual: Actual) {
    this.most = startsAtOnce
    this.actual = actual
    this.left = startsAtOnce - actual.workers.filter(isStarting).length
  }

  /**
   * Takes room for a worker in an empty slot. False: it has to wait until another worker listens or has failed. A slot whose worker has failed before
   * needs no room: it has its own delay, and must not wait for the slow start of another app.
   */
  take({ name, workers: slots }: Pick<PoolTarget, 'name' | 'workers'>, slot: number, workers: readonly PlannedWorker[]): boolean {
    const { history, provenPools } = this.actual
    if (history({ pool: name, slot }) !== undefined) return true
    if (this.left <= 0) return false
    // In a pool that never came up the first starts decide whether it can. If all of them fail, the others would too.
    if (!provenPools.has(name) && workers.length + this.taken(name) + failedSlots(name, this.actual, slots) >= this.most) return false
    this.left--
    this.takenBy.set(name, this.taken(name) + 1)
    return true
  }

  private taken(pool: string): number {
    return this.takenBy.get(pool) ?? 0
  }
}

/** Does it not do yet what its pool waits for? Processes of a schedule have a bound of their own. */
function isStarting({ state, hasBegun, stoppingMs, isOneOff }: PlannedWorker): boolean {
  return state === 'starting' && !hasBegun && stoppingMs === undefined && !isOneOff
}

/** How many of the first `slots` slots have failed. */
export function failedSlots(pool: string, { history }: Actual, slots: number): number {
  let failed = 0
  for (let slot = 0; slot < slots; slot++) if ((history({ pool, slot })?.failures ?? 0) > 0) failed++
  return failed
}
