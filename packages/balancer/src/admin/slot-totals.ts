// Totals of a seat over all the processes that sat in it. A process counts from 0; a Prometheus counter must never fall when it is replaced.

import type { PoolStatus } from '../status.ts'

interface SlotTotal {
  pool: string
  slot: number
  /** Of processes that are gone. */
  departed: number
  /** Last seen count of each process in the seat, by generation and pid. */
  present: Map<string, number>
  restarts: number
}

/** Keeps hand-offs and restarts per pool and slot. Bounded by the number of slots that ever were. */
export class SlotTotals {
  readonly #totals = new Map<string, SlotTotal>()

  /** Takes in what the pools say now and returns the totals of every seat. */
  update(pools: readonly PoolStatus[]): { pool: string; slot: number; handOffs: number; restarts: number }[] {
    const now = new Map<SlotTotal, Map<string, number>>()
    for (const pool of pools) {
      for (const worker of pool.workers) {
        const total = this.#totalOf(pool.name, worker.slot)
        const present = now.get(total) ?? new Map<string, number>()
        present.set(`${worker.generation}:${worker.pid}`, worker.handOffs)
        now.set(total, present)
        total.restarts = Math.max(total.restarts, worker.restarts)
      }
    }
    return [...this.#totals.values()].map((total) => {
      settle(total, now.get(total) ?? new Map())
      return { pool: total.pool, slot: total.slot, handOffs: total.departed + sum(total.present), restarts: total.restarts }
    })
  }

  #totalOf(pool: string, slot: number): SlotTotal {
    const key = `${pool}/${slot}`
    const known = this.#totals.get(key)
    if (known !== undefined) return known
    const total: SlotTotal = { pool, slot, departed: 0, present: new Map(), restarts: 0 }
    this.#totals.set(key, total)
    return total
  }
}

/** A process that left, or whose count fell (its pid was used again), has its last count added to the departed. */
function settle(total: SlotTotal, present: Map<string, number>): void {
  for (const [worker, count] of total.present) {
    if ((present.get(worker) ?? -1) < count) total.departed += count
  }
  total.present = present
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((all, count) => all + count, 0)
}
