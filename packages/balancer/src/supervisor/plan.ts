// What should be done now so that the workers become what they ought to be: a pure function of what is wanted, what is there, and the time.
// Every rule of a worker's life is a row here; the supervisor only carries the actions out.

import type { Actual, Desired, PlannedSlot, PlannedWorker, PoolTarget, SlotStarts } from './plan-input.ts'

export type Action =
  | { readonly do: 'start'; readonly workerSlot: PlannedSlot; readonly generation: number }
  /** It is up and trusted: it may have connections. */
  | { readonly do: 'admit'; readonly id: number }
  | { readonly do: 'drain'; readonly id: number }
  /** It drains, and whoever has its ticket has come to it for long enough. */
  | { readonly do: 'seal'; readonly id: number }
  | { readonly do: 'stop'; readonly id: number }
  | { readonly do: 'kill'; readonly id: number; readonly why: string }
  /** It has not come up in the time that it has for that. */
  | { readonly do: 'kill-late'; readonly id: number; readonly afterMs: number }
  | { readonly do: 'break'; readonly workerSlot: PlannedSlot }
  | { readonly do: 'give-up'; readonly pool: string }
  /** Every slot of the pool is broken, and nobody serves. */
  | { readonly do: 'begin-outage'; readonly pool: string }
  /** The reload has failed: the generation before is wanted again. */
  | { readonly do: 'revert'; readonly pool: string; readonly why: string }
  /** Nobody of the generation before is left. */
  | { readonly do: 'record-replaced'; readonly pool: string }

/** Actions for now, and the next moment at which time alone may call for another. */
export interface Plan {
  readonly actions: readonly Action[]
  readonly nextMs: number
}

/** A worker that was asked to leave may take at least so long, unless its pool says otherwise. */
export const STOP_MS = 5000
/** Of the time that a worker has to drain: so long those come to it whom only it knows. What is under way then has the rest. */
const TICKETS_SHARE = 0.5
const LEAST_OUTAGE_RETRY_MS = 1000
/** Whose loop has not been seen to turn at the end of its trial is looked at again so soon. */
const AGAIN_MS = 100

/** The actions that bring `actual` nearer to `desired` at the moment `nowMs`. Changes nothing. */
export function plan(desired: Desired, actual: Actual, nowMs: number): Plan {
  const actions: Action[] = []
  const clock = new Clock(nowMs)
  for (const worker of actual.workers) if (worker.state === 'draining' || worker.stoppingMs !== undefined) see(worker)
  if (desired.stopping) {
    for (const { id, state, stoppingMs } of actual.workers) {
      if (state === 'draining' || stoppingMs !== undefined) continue
      actions.push({ do: state === 'ready' ? 'drain' : 'stop', id })
    }
  } else {
    // A reload of several pools goes on in all of them when the first new worker of each has stood its trial: before that nothing has changed.
    const isTrial = desired.pools.some((pool) => awaitsFirst(pool, actual, clock))
    for (const pool of desired.pools) actions.push(...planPool(pool, desired, actual, clock, isTrial))
  }
  return { actions, nextMs: clock.nextMs }

  /** Sees a worker off. */
  function see(worker: PlannedWorker): void {
    if (worker.stoppingMs !== undefined) {
      const stopMs = stopTimeMs(worker, worker.stoppingMs, desired)
      if (clock.isDue(worker.stoppingMs + stopMs))
        actions.push(kill(worker, `it had not ended ${stopMs} ms after it was told to (stopTimeoutMs)`))
    } else if (worker.drained) actions.push({ do: 'stop', id: worker.id })
    else if (worker.retiring === 'hang') actions.push(kill(worker, 'its loop hangs'))
    else if (clock.isDue(worker.sinceMs + desired.drainTimeoutMs))
      actions.push(
        kill(worker, desired.drainTimeoutMs === 0 ? 'it has no time to drain' : `it had not drained within ${desired.drainTimeoutMs} ms`),
      )
    else if (!worker.sealed && clock.isDue(worker.sinceMs + desired.drainTimeoutMs * TICKETS_SHARE))
      actions.push({ do: 'seal', id: worker.id })
  }
}

/** How long a worker may take to end, from when it was told to. What its app has begun to put away has all the time of the drain. */
function stopTimeMs({ state, sinceMs, stopTimeoutMs }: PlannedWorker, stoppingMs: number, { drainTimeoutMs }: Desired): number {
  if (stopTimeoutMs !== undefined) return stopTimeoutMs
  return state === 'draining' ? Math.max(sinceMs + drainTimeoutMs - stoppingMs, STOP_MS) : STOP_MS
}

/** `isTrial`: whoever takes another's place has to wait. */
function planPool(pool: PoolTarget, desired: Desired, actual: Actual, clock: Clock, isTrial: boolean): Action[] {
  const workers = actual.workers.filter((worker) => worker.pool === pool.name)
  const failure = pool.failure ?? hangOf(pool, workers)
  if (pool.previous !== undefined && failure !== undefined) return [{ do: 'revert', pool: pool.name, why: failure }]
  if (isLost(pool, workers, actual)) return [{ do: 'give-up', pool: pool.name }]

  const actions: Action[] = []
  const live = workers.filter(({ state, stoppingMs }) => state !== 'draining' && stoppingMs === undefined)
  const isWanted = (slot: number) => slot < pool.workers && !pool.held.has(slot)
  const isBehind = (worker: PlannedWorker) => worker.generation !== pool.generation || worker.retiring !== undefined
  const nobodyServes = !live.some(({ state }) => state === 'ready')
  /** Seats with a worker that comes up beside one that serves. */
  let surge = 0
  let limited = workers.some(({ retiring, state }) => retiring !== undefined && state === 'draining')

  const workerSlots = occupiedSlots(live, pool.workers)
  const isOutage = live.length === 0 && isAllBroken(pool)
  if (isOutage && !pool.isInOutage) actions.push({ do: 'begin-outage', pool: pool.name })
  const retried = isOutage ? brokenSlotToTry(pool, desired, actual, clock) : undefined
  for (const [slot, here] of workerSlots) {
    const old = here.find((worker) => worker.state === 'ready' && isBehind(worker))
    const next = here.find((worker) => !isBehind(worker))
    if (!isWanted(slot)) {
      for (const { id, state } of here) actions.push({ do: state === 'ready' ? 'drain' : 'stop', id })
      continue
    }
    // A replacement was called off: whoever came first stays.
    const [, ...surplus] = here
      .filter((worker) => !isBehind(worker))
      .sort((one, other) => Number(other.state === 'ready') - Number(one.state === 'ready') || one.id - other.id)
    for (const { id, state } of surplus) actions.push({ do: state === 'ready' ? 'drain' : 'stop', id })
    for (const worker of here) {
      if (worker.state !== 'starting' || surplus.includes(worker)) continue
      if (isBehind(worker)) actions.push({ do: 'stop', id: worker.id })
      else actions.push(...comeUp(worker, old))
    }
    if (old === undefined || next === undefined) continue
    if (next.state === 'ready')
      actions.push(old.retiring === 'hang' ? kill(old, 'its loop hangs, and another has taken its place') : { do: 'drain', id: old.id })
    else if (old.retiring === undefined) surge++
    else if (old.retiring !== 'hang') limited = true
  }

  for (const [slot, here] of workerSlots) {
    if (!isWanted(slot) || here.some((worker) => !isBehind(worker))) continue
    const workerSlot = { pool: pool.name, slot }
    const old = here.find(({ state }) => state === 'ready')
    // One that was killed while it came up: how that counts is known when its process is gone.
    if (
      workers.some((worker) => worker.slot === slot && worker.state === 'starting' && worker.stoppingMs !== undefined && !isBehind(worker))
    )
      continue
    if (slot === retried) actions.push({ do: 'start', workerSlot, generation: pool.generation })
    if (pool.broken.has(slot) || awaitsVerdict(workerSlot, workers, actual)) continue
    const history = actual.history(workerSlot)
    if (isBreaking(history, desired, clock.nowMs)) {
      actions.push({ do: 'break', workerSlot })
      continue
    }
    const isReload = old !== undefined && old.retiring === undefined
    if (isReload && surge >= pool.maxSurge) continue
    if (old?.retiring !== undefined && old.retiring !== 'hang' && limited) continue
    if (!clock.isDue(history?.startAtMs ?? clock.nowMs)) continue
    actions.push({ do: 'start', workerSlot, generation: pool.generation })
    if (isReload) surge++
    else if (old?.retiring !== undefined && old.retiring !== 'hang') limited = true
  }

  if (pool.previous !== undefined && !pool.replaced && actions.length === 0 && isReplaced())
    actions.push({ do: 'record-replaced', pool: pool.name })
  return actions

  /** What is due of a worker that starts; `old`: whose place it takes. */
  function comeUp(worker: PlannedWorker, old: PlannedWorker | undefined): Action[] {
    const isTried = !nobodyServes && old?.retiring !== 'hang' && (old !== undefined || pool.previous !== undefined)
    if (worker.upMs === undefined) {
      const isLate = clock.isDue(worker.sinceMs + pool.startTimeoutMs)
      return isLate ? [{ do: 'kill-late', id: worker.id, afterMs: pool.startTimeoutMs }] : []
    }
    if (!isTried) return [{ do: 'admit', id: worker.id }]
    if (hasSettled(worker, pool, clock)) return isTrial ? [] : [{ do: 'admit', id: worker.id }]
    return clock.isDue(worker.upMs + pool.settleMs + pool.startTimeoutMs) ? [kill(worker, 'its loop hangs')] : []
  }

  function isReplaced(): boolean {
    for (let slot = 0; slot < pool.workers; slot++) {
      if (!isWanted(slot) || pool.broken.has(slot)) continue
      if (!workers.some((worker) => worker.slot === slot && worker.state === 'ready')) return false
    }
    // Those who were admitted without a trial have it now.
    return workers.every((worker) => worker.generation === pool.generation && hasSettled(worker, pool, clock))
  }
}

/** Is a reload under way in which no new worker has stood its trial? */
function awaitsFirst(pool: PoolTarget, { workers }: Actual, clock: Clock): boolean {
  const { name, generation, previous, held, broken } = pool
  if (previous === undefined) return false
  const isWanted = slotsOf(pool.workers).some((slot) => !held.has(slot) && !broken.has(slot))
  const isFirst = (worker: PlannedWorker) =>
    worker.pool === name &&
    worker.generation === generation &&
    (worker.state === 'ready' || (worker.upMs !== undefined && hasSettled(worker, pool, clock)))
  return isWanted && !workers.some(isFirst)
}

/** Is its trial over, and has its loop turned since? */
function hasSettled({ upMs = Number.NEGATIVE_INFINITY, silentMs }: PlannedWorker, { settleMs }: PoolTarget, clock: Clock): boolean {
  const settledMs = upMs + settleMs
  return clock.isDue(settledMs) && (clock.nowMs - silentMs >= settledMs || clock.isDue(clock.nowMs + AGAIN_MS))
}

/** The moment of a plan, and the next that matters. */
class Clock {
  readonly nowMs: number
  nextMs = Number.POSITIVE_INFINITY

  constructor(nowMs: number) {
    this.nowMs = nowMs
  }

  /** Is the moment here? Else it is remembered. */
  isDue(atMs: number): boolean {
    if (this.nowMs >= atMs) return true
    this.nextMs = Math.min(this.nextMs, atMs)
    return false
  }
}

/** Who is in each seat, in order of slots: of those that are wanted, and of those that somebody still holds. */
function occupiedSlots(live: readonly PlannedWorker[], wanted: number): Map<number, PlannedWorker[]> {
  const slots = new Set(live.map(({ slot }) => slot))
  for (let slot = 0; slot < wanted; slot++) slots.add(slot)
  return new Map([...slots].sort((one, other) => one - other).map((slot) => [slot, live.filter((worker) => worker.slot === slot)]))
}

/** A worker of the wanted generation hangs: that is a failure of it, whoever else is well. */
function hangOf({ generation }: PoolTarget, workers: readonly PlannedWorker[]): string | undefined {
  const hung = workers.find((worker) => worker.generation === generation && worker.retiring === 'hang' && worker.state !== 'draining')
  return hung && `${hung.pool}/${hung.slot}: its loop hangs`
}

/** Every seat of the pool has failed before any worker was ever ready: trying again would only repeat it. */
function isLost({ name, workers: wanted }: PoolTarget, workers: readonly PlannedWorker[], actual: Actual): boolean {
  if (wanted === 0 || actual.provenPools.has(name) || workers.length > 0) return false
  for (let slot = 0; slot < wanted; slot++) if ((actual.history({ pool: name, slot })?.failures ?? 0) === 0) return false
  return true
}

/** A seat that has failed in a pool where nobody was ever ready: what becomes of the first starts of the others decides whether there is a second. */
function awaitsVerdict(workerSlot: PlannedSlot, workers: readonly PlannedWorker[], actual: Actual): boolean {
  return !actual.provenPools.has(workerSlot.pool) && workers.length > 0 && (actual.history(workerSlot)?.failures ?? 0) > 0
}

function isAllBroken({ workers, held, broken }: PoolTarget): boolean {
  const wanted = slotsOf(workers).filter((slot) => !held.has(slot))
  return wanted.length > 0 && wanted.every((slot) => broken.has(slot))
}

/** What kept the whole pool down (a database, a network) may be over: one seat after the other is tried, that which has failed longest ago. Undefined: not yet. */
function brokenSlotToTry(pool: PoolTarget, { outageRetryMs }: Desired, { history }: Actual, clock: Clock): number | undefined {
  const workerSlots = slotsOf(pool.workers)
    .filter((slot) => !pool.held.has(slot))
    .map((slot) => ({ slot, history: history({ pool: pool.name, slot }) }))
    .map(({ slot, history }) => ({ slot, failedAtMs: history?.failedMs.at(-1) ?? 0, startAtMs: history?.startAtMs ?? 0 }))
    .sort((one, other) => one.failedAtMs - other.failedAtMs || one.startAtMs - other.startAtMs || one.slot - other.slot)
  const [first, last] = [workerSlots[0], workerSlots.at(-1)]
  return first !== undefined && clock.isDue(Math.max((last?.failedAtMs ?? 0) + outageRetryMs, first.startAtMs)) ? first.slot : undefined
}

function slotsOf(workers: number): number[] {
  return Array.from({ length: workers }, (_, slot) => slot)
}

function isBreaking(history: SlotStarts | undefined, { maxRestarts, restartWindowMs }: Desired, nowMs: number): boolean {
  return (history?.failedMs.filter((atMs) => nowMs - atMs < restartWindowMs).length ?? 0) > maxRestarts
}

function kill(worker: PlannedWorker, why: string): Action {
  return { do: 'kill', id: worker.id, why }
}

/** How often a pool in which every seat is broken is tried again: where the delays between restarts have ended, and not without pause. */
export function outageRetryMs(longestDelayMs: number): number {
  return Math.max(longestDelayMs, LEAST_OUTAGE_RETRY_MS)
}

/**
 * How long to wait before the next start: exponential with full jitter in the upper half (Brooker, "Exponential Backoff and Jitter", 2015).
 * `failures`: in a row, 0 for a worker that had been well. `chance`: 0 to 1.
 */
export function restartDelayMs(failures: number, chance: number, firstMs: number, longestMs: number): number {
  const whole = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30))
  return Math.round(whole / 2 + (whole / 2) * chance)
}
