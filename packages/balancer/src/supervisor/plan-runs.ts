// The part of the plan for pools with a schedule: their processes do one piece of work and end by themselves, so none is started again.

import type { Action } from './plan.ts'
import type { PlannedWorker, PoolTarget } from './plan-input.ts'

/** `workers`: all of this pool. A pool that had other workers before a reload loses them. */
export function planRuns(pool: PoolTarget, workers: readonly PlannedWorker[]): Action[] {
  const actions: Action[] = []
  for (const { id, slot, state, isOneOff, retiring, stoppingMs } of workers) {
    if (state === 'draining' || stoppingMs !== undefined) continue
    // It has nothing to be ready for.
    if (isOneOff && state === 'starting') actions.push({ do: 'admit', id })
    else if (isOneOff && retiring !== undefined) actions.push({ do: 'stop', id })
    else if (!isOneOff || pool.held.has(slot) || pool.isDropped) actions.push({ do: state === 'ready' ? 'drain' : 'stop', id })
  }
  for (const slot of pool.due) {
    if (pool.isDropped || workers.some((worker) => worker.slot === slot)) continue
    actions.push({ do: 'start', workerSlot: { pool: pool.name, slot }, generation: pool.generation })
  }
  const isReplaced = workers.every(({ isOneOff }) => isOneOff)
  if (pool.previous !== undefined && !pool.replaced && actions.length === 0 && isReplaced)
    actions.push({ do: 'record-replaced', pool: pool.name })
  return actions
}

/** The first free slot for one more process, while fewer than `most` run; or why there is none. */
export function slotForRun(
  { due, held }: Pick<PoolTarget, 'due' | 'held'>,
  most: number,
  isTaken: (slot: number) => boolean,
): number | 'busy' | 'held' {
  const slots = Array.from({ length: most }, (_, slot) => slot).filter((slot) => !held.has(slot))
  return slots.length === 0 ? 'held' : (slots.find((slot) => !due.has(slot) && !isTaken(slot)) ?? 'busy')
}
