// Whether an orchestrator should send traffic here, and if not, why.

import type { BalancerStatus, PoolStatus, WorkerState } from '../status.ts'

/** One line for each thing that keeps the balancer from serving every route; none: it is ready. */
export function unreadyReasons({ accepting, pools }: BalancerStatus): string[] {
  const reasons = pools.filter((pool) => pool.ready === 0).map(reasonOf)
  return accepting ? reasons : ['no connections are accepted', ...reasons]
}

function reasonOf({ name, desired, workers }: PoolStatus): string {
  const states = (['starting', 'draining'] as const).flatMap((state) => countOf(workers, state))
  return `pool ${name}: no worker is ready of ${desired}${states.length === 0 ? '' : ` (${states.join(', ')})`}`
}

function countOf(workers: PoolStatus['workers'], state: WorkerState): string[] {
  const count = workers.filter((worker) => worker.state === state).length
  return count === 0 ? [] : [`${count} ${state}`]
}
