// Plans what the supervisor does next: a pure function of the desired pools, the actual workers and the time.
// All rules about starting, replacing and stopping workers are here; the supervisor only carries the actions out.

import type { Actual, Desired, PlannedSlot, PlannedWorker, PoolTarget, SlotStarts } from './plan-input.ts'
import { planRuns } from './plan-runs.ts'
import { failedSlots, StartRoom } from './start-room.ts'

export type Action =
  | { readonly do: 'start'; readonly workerSlot: PlannedSlot; readonly generation: number }
  /** The worker is up and, in a reload, has settled: it may have connections. */
  | { readonly do: 'admit'; readonly id: number }
  | { readonly do: 'drain'; readonly id: number }
  /** The worker drains, and from now on requests whose ticket names it go elsewhere too. */
  | { readonly do: 'seal'; readonly id: number }
  | { readonly do: 'stop'; readonly id: number }
  | { readonly do: 'kill'; readonly id: number; readonly why: string }
  /** The worker has not come up within `startTimeoutMs`. */
  | { readonly do: 'kill-late'; readonly id: number; readonly afterMs: number }
  | { readonly do: 'break'; readonly workerSlot: PlannedSlot }
  | { readonly do: 'give-up'; readonly pool: string }
  /** Every slot of the pool is broken, and no worker serves. */
  | { readonly do: 'begin-outage'; readonly pool: string }
  /** The reload has failed: the previous generation is desired again. */
  | { readonly do: 'revert'; readonly pool: string; readonly why: string }
  /** No worker of the previous generation is left. */
  | { readonly do: 'record-replaced'; readonly pool: string }

/** Actions for now, and the next moment at which time alone may call for another. */
export interface Plan {
  readonly actions: readonly Action[]
  readonly nextMs: number
}

/** The least time that a worker has to exit after it was told to stop, unless its pool sets `stopTimeoutMs`. */
export const STOP_MS = 5000
/** The share of the drain time in which a worker still serves requests whose ticket names it. Requests under way have the rest. */
const TICKET_SHARE = 0.5
const MIN_OUTAGE_RETRY_MS = 1000
/** How soon the plan checks again whether a worker's loop has turned, when its settle time is over and no turn was seen since. */
const RECHECK_MS = 100

/** The actions that bring `actual` nearer to `desired` at the moment `nowMs`. Changes nothing. */
export function plan(desired: Desired, actual: Actual, nowMs: number): Plan {
  const actions: Action[] = []
  const clock = new Clock(nowMs)
  for (const worker of actual.workers) if (worker.state === 'draining' || worker.stoppingMs !== undefined) planExit(worker)
  if (desired.stopping) {
    for (const { id, state, stoppingMs } of actual.workers) {
      if (state === 'draining' || stoppingMs !== undefined) continue
      actions.push({ do: state === 'ready' ? 'drain' : 'stop', id })
    }
  } else {
    // In a reload, no pool admits a replacement until the first one of every pool has settled. A reload that fails earlier has changed nothing.
    const mustHold = desired.pools.some((pool) => awaitsFirstReplacement(pool, actual, clock))
    const room = new StartRoom(desired, actual)
    for (const pool of desired.pools) actions.push(...planPool(pool, desired, actual, clock, mustHold, room))
  }
  return { actions, nextMs: clock.nextMs }

  /** The next step of a worker that drains or was told to stop. */
  function planExit(worker: PlannedWorker): void {
    if (worker.stoppingMs !== undefined) {
      const stopMs = stopTimeMs(worker, worker.stoppingMs, desired)
      if (clock.isDue(worker.stoppingMs + stopMs))
        actions.push(kill(worker, `it did not exit within ${stopMs} ms after it was told to stop (stopTimeoutMs)`))
    } else if (worker.isOneOff && desired.drainTimeoutMs > 0) {
      // It may finish its work.
      if (clock.isDue(worker.sinceMs + desired.drainTimeoutMs)) actions.push({ do: 'stop', id: worker.id })
    } else if (worker.drained) actions.push({ do: 'stop', id: worker.id })
    else if (worker.retiring === 'hang') actions.push(kill(worker, 'its event loop hangs'))
    else if (clock.isDue(worker.sinceMs + desired.drainTimeoutMs))
      actions.push(
        kill(
          worker,
          desired.drainTimeoutMs === 0
            ? 'it has no time to drain'
            : `it did not drain within ${desired.drainTimeoutMs} ms (drainTimeoutMs)`,
        ),
      )
    else if (!worker.sealed && clock.isDue(worker.sinceMs + desired.drainTimeoutMs * TICKET_SHARE))
      actions.push({ do: 'seal', id: worker.id })
  }
}

/** How long a worker may take to exit after it was told to stop. Its app may use what is left of the drain time for its own shutdown. */
function stopTimeMs({ state, sinceMs, stopTimeoutMs }: PlannedWorker, stoppingMs: number, { drainTimeoutMs }: Desired): number {
  if (stopTimeoutMs !== undefined) return stopTimeoutMs
  return state === 'draining' ? Math.max(sinceMs + drainTimeoutMs - stoppingMs, STOP_MS) : STOP_MS
}

/** `mustHold`: replacements are not admitted yet. */
function planPool(pool: PoolTarget, desired: Desired, actual: Actual, clock: Clock, mustHold: boolean, room: StartRoom): Action[] {
  const workers = actual.workers.filter((worker) => worker.pool === pool.name)
  if (pool.isOneOff) return planRuns(pool, workers)
  const failure = pool.failure ?? hangFailure(pool, workers)
  if (pool.previous !== undefined && failure !== undefined) return [{ do: 'revert', pool: pool.name, why: failure }]
  if (neverCameUp(pool, workers, actual, desired)) return [{ do: 'give-up', pool: pool.name }]

  const actions: Action[] = []
  const live = workers.filter(({ state, stoppingMs }) => state !== 'draining' && stoppingMs === undefined)
  const isDesired = (slot: number) => slot < pool.workers && !pool.held.has(slot) && !pool.finished.has(slot)
  const isBehind = (worker: PlannedWorker) => worker.generation !== pool.generation || worker.retiring !== undefined
  const isServing = live.some(({ state }) => state === 'ready')
  /** Slots in which a new worker starts beside one that serves. */
  let surge = 0
  /** A worker that retires is being replaced: only one at a time is. */
  let isReplacing = workers.some(({ retiring, state }) => retiring !== undefined && state === 'draining')

  const workerSlots = occupiedSlots(live, pool.workers)
  const isOutage = live.length === 0 && isAllBroken(pool)
  if (isOutage && !pool.isInOutage) actions.push({ do: 'begin-outage', pool: pool.name })
  const retried = isOutage ? brokenSlotToTry(pool, desired, actual, clock) : undefined
  for (const [slot, here] of workerSlots) {
    const old = here.find((worker) => worker.state === 'ready' && isBehind(worker))
    const next = here.find((worker) => !isBehind(worker))
    if (!isDesired(slot)) {
      for (const { id, state } of here) actions.push({ do: state === 'ready' ? 'drain' : 'stop', id })
      continue
    }
    // A replacement that was called off leaves two workers. The one that serves stays, or else the older one.
    const [, ...surplus] = here
      .filter((worker) => !isBehind(worker))
      .sort((one, other) => Number(other.state === 'ready') - Number(one.state === 'ready') || one.id - other.id)
    for (const { id, state } of surplus) actions.push({ do: state === 'ready' ? 'drain' : 'stop', id })
    for (const worker of here) {
      if (worker.state !== 'starting' || surplus.includes(worker)) continue
      if (isBehind(worker)) actions.push({ do: 'stop', id: worker.id })
      else actions.push(...planStarting(worker, old))
    }
    if (old === undefined || next === undefined) continue
    if (next.state === 'ready')
      actions.push(old.retiring === 'hang' ? kill(old, 'its event loop hangs, and its replacement is ready') : { do: 'drain', id: old.id })
    else if (old.retiring === undefined) surge++
    else if (old.retiring !== 'hang') isReplacing = true
  }

  for (const [slot, here] of workerSlots) {
    if (!isDesired(slot) || here.some((worker) => !isBehind(worker))) continue
    const workerSlot = { pool: pool.name, slot }
    const old = here.find(({ state }) => state === 'ready')
    // A worker that was killed while it started: its failure counts, and delays the next start, once its process is gone.
    if (
      workers.some((worker) => worker.slot === slot && worker.state === 'starting' && worker.stoppingMs !== undefined && !isBehind(worker))
    )
      continue
    if (slot === retried) actions.push({ do: 'start', workerSlot, generation: pool.generation })
    if (pool.broken.has(slot) || awaitsFirstStarts(workerSlot, workers, actual)) continue
    const history = actual.history(workerSlot)
    if (failsTooOften(history, desired, clock.nowMs)) {
      actions.push({ do: 'break', workerSlot })
      continue
    }
    const isReload = old !== undefined && old.retiring === undefined
    if (isReload && surge >= pool.maxSurge) continue
    if (old?.retiring !== undefined && old.retiring !== 'hang' && isReplacing) continue
    if (!clock.isDue(history?.startAtMs ?? clock.nowMs)) continue
    if (old === undefined && !room.take(pool, slot, workers)) continue
    actions.push({ do: 'start', workerSlot, generation: pool.generation })
    if (isReload) surge++
    else if (old?.retiring !== undefined && old.retiring !== 'hang') isReplacing = true
  }

  if (pool.previous !== undefined && !pool.replaced && actions.length === 0 && isReplaced())
    actions.push({ do: 'record-replaced', pool: pool.name })
  return actions

  /** The next step of a worker that starts; `old` is the worker that it replaces. */
  function planStarting(worker: PlannedWorker, old: PlannedWorker | undefined): Action[] {
    // Its settle time is skipped while no worker serves, and when it replaces a worker that hangs.
    const mustSettle = isServing && old?.retiring !== 'hang' && (old !== undefined || pool.previous !== undefined)
    if (worker.upMs === undefined) {
      const isLate = clock.isDue(worker.sinceMs + pool.startTimeoutMs)
      return isLate ? [{ do: 'kill-late', id: worker.id, afterMs: pool.startTimeoutMs }] : []
    }
    if (!mustSettle) return [{ do: 'admit', id: worker.id }]
    if (hasSettled(worker, pool, clock)) return mustHold ? [] : [{ do: 'admit', id: worker.id }]
    return clock.isDue(worker.upMs + pool.settleMs + pool.startTimeoutMs) ? [kill(worker, 'its event loop hangs')] : []
  }

  function isReplaced(): boolean {
    for (let slot = 0; slot < pool.workers; slot++) {
      if (!isDesired(slot) || pool.broken.has(slot)) continue
      if (!workers.some((worker) => worker.slot === slot && worker.state === 'ready')) return false
    }
    // Workers that were admitted at once settle now.
    return workers.every((worker) => worker.generation === pool.generation && hasSettled(worker, pool, clock))
  }
}

/** Is a reload under way in which no new worker of the pool has settled? */
function awaitsFirstReplacement(pool: PoolTarget, { workers }: Actual, clock: Clock): boolean {
  const { name, generation, previous, held, broken, finished } = pool
  if (previous === undefined) return false
  const isExpected = slotsOf(pool.workers).some((slot) => !held.has(slot) && !broken.has(slot) && !finished.has(slot))
  const isFirst = (worker: PlannedWorker) =>
    worker.pool === name &&
    worker.generation === generation &&
    (worker.state === 'ready' || (worker.upMs !== undefined && hasSettled(worker, pool, clock)))
  return isExpected && !workers.some(isFirst)
}

/** Has the worker been up for `settleMs`, and has its loop turned since then? */
function hasSettled({ upMs = Number.NEGATIVE_INFINITY, silentMs }: PlannedWorker, { settleMs }: PoolTarget, clock: Clock): boolean {
  const settledMs = upMs + settleMs
  return clock.isDue(settledMs) && (clock.nowMs - silentMs >= settledMs || clock.isDue(clock.nowMs + RECHECK_MS))
}

/** The time of a plan, and the earliest later time at which the plan may change. */
class Clock {
  readonly nowMs: number
  nextMs = Number.POSITIVE_INFINITY

  constructor(nowMs: number) {
    this.nowMs = nowMs
  }

  /** Has the time come? If not, the next plan is due then at the latest. */
  isDue(atMs: number): boolean {
    if (this.nowMs >= atMs) return true
    this.nextMs = Math.min(this.nextMs, atMs)
    return false
  }
}

/** The workers of each slot, in order of slots. Includes empty slots that should have a worker and slots that should not but still have one. */
function occupiedSlots(live: readonly PlannedWorker[], desired: number): Map<number, PlannedWorker[]> {
  const slots = new Set(live.map(({ slot }) => slot))
  for (let slot = 0; slot < desired; slot++) slots.add(slot)
  return new Map([...slots].sort((one, other) => one - other).map((slot) => [slot, live.filter((worker) => worker.slot === slot)]))
}

/** A worker of the desired generation that hangs fails its reload. */
function hangFailure({ generation }: PoolTarget, workers: readonly PlannedWorker[]): string | undefined {
  const hung = workers.find((worker) => worker.generation === generation && worker.retiring === 'hang' && worker.state !== 'draining')
  return hung && `${hung.pool}/${hung.slot}: its event loop hangs`
}

/** Every slot that may start at once has failed before any worker was ever ready: another try would fail in the same way. */
function neverCameUp({ name, workers: slots }: PoolTarget, workers: readonly PlannedWorker[], actual: Actual, desired: Desired): boolean {
  if (slots === 0 || actual.provenPools.has(name) || workers.length > 0) return false
  return failedSlots(name, actual, slots) >= Math.min(slots, desired.startsAtOnce)
}

/** A slot that has failed in a pool that never had a ready worker is not tried again while the first starts of the others are under way. */
function awaitsFirstStarts(workerSlot: PlannedSlot, workers: readonly PlannedWorker[], actual: Actual): boolean {
  return !actual.provenPools.has(workerSlot.pool) && workers.length > 0 && (actual.history(workerSlot)?.failures ?? 0) > 0
}

function isAllBroken({ workers, held, broken, finished }: PoolTarget): boolean {
  const slots = slotsOf(workers).filter((slot) => !held.has(slot) && !finished.has(slot))
  return slots.length > 0 && slots.every((slot) => broken.has(slot))
}

/**
 * The slot to try during an outage, since its cause (a database, a network) may be over: the one that failed longest ago. Undefined: not yet.
 */
function brokenSlotToTry(pool: PoolTarget, { outageRetryMs }: Desired, { history }: Actual, clock: Clock): number | undefined {
  const workerSlots = slotsOf(pool.workers)
    .filter((slot) => !pool.held.has(slot) && !pool.finished.has(slot))
    .map((slot) => ({ slot, history: history({ pool: pool.name, slot }) }))
    .map(({ slot, history }) => ({ slot, failedAtMs: history?.failedMs.at(-1) ?? 0, startAtMs: history?.startAtMs ?? 0 }))
    .sort((one, other) => one.failedAtMs - other.failedAtMs || one.startAtMs - other.startAtMs || one.slot - other.slot)
  const [first, last] = [workerSlots[0], workerSlots.at(-1)]
  return first !== undefined && clock.isDue(Math.max((last?.failedAtMs ?? 0) + outageRetryMs, first.startAtMs)) ? first.slot : undefined
}

function slotsOf(workers: number): number[] {
  return Array.from({ length: workers }, (_, slot) => slot)
}

function failsTooOften(history: SlotStarts | undefined, { maxRestarts, restartWindowMs }: Desired, nowMs: number): boolean {
  return (history?.failedMs.filter((atMs) => nowMs - atMs < restartWindowMs).length ?? 0) > maxRestarts
}

function kill(worker: PlannedWorker, why: string): Action {
  return { do: 'kill', id: worker.id, why }
}

/** How often a pool whose slots are all broken is tried again: after the longest restart delay, and at most once a second. */
export function outageRetryMs(longestDelayMs: number): number {
  return Math.max(longestDelayMs, MIN_OUTAGE_RETRY_MS)
}

/**
 * How long to wait before the next start: exponential with full jitter in the upper half (Brooker, "Exponential Backoff and Jitter", 2015).
 * `failures` in a row, 0 for a worker that had been stable. `chance` is 0 to 1.
 */
export function restartDelayMs(failures: number, chance: number, firstMs: number, longestMs: number): number {
  const whole = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30))
  return Math.round(whole / 2 + (whole / 2) * chance)
}
