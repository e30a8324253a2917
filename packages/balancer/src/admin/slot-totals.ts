// Totals of a seat over all the processes that sat in it. A process counts from 0; a Prometheus counter must never fall when it is replaced.

import { responseBoundsMs } from '@switchyard/handoff'
import type { PoolStatus, WorkerStatus } from '../status.ts'

/** Everything that a process counts from its start, in one list. */
type Counts = readonly number[]

interface SlotTotal {
  pool: string
  slot: number
  /** Of processes that are gone. */
  departed: Counts
  /** Last seen counts of each process in the seat, by generation and pid. */
  present: Map<string, Counts>
  restarts: number
}

/** What became of a seat since the balancer started. */
export interface SeatTotals {
  pool: string
  slot: number
  restarts: number
  handOffs: number
  begun: number
  failed: number
  /** How many of the timed requests fell into each bucket of `responseBoundsMs`, and beyond. */
  responses: readonly number[]
  responseSumMs: number
}

const NONE: Counts = new Array(4 + responseBoundsMs.length + 1).fill(0)

/** Keeps totals per pool and slot. Bounded by the number of slots that ever were. */
export class SlotTotals {
  readonly #totals = new Map<string, SlotTotal>()

  /** Takes in what the pools say now and returns the totals of every seat. */
  update(pools: readonly PoolStatus[]): SeatTotals[] {
    const now = new Map<SlotTotal, Map<string, Counts>>()
    for (const pool of pools) {
      for (const worker of pool.workers) {
        const total = this.#totalOf(pool.name, worker.slot)
        const present = now.get(total) ?? new Map<string, Counts>()
        present.set(`${worker.generation}:${worker.pid}`, countsOf(worker))
        now.set(total, present)
        total.restarts = Math.max(total.restarts, worker.restarts)
      }
    }
    return [...this.#totals.values()].map((total) => {
      settle(total, now.get(total) ?? new Map())
      const [handOffs = 0, begun = 0, failed = 0, responseSumMs = 0, ...responses] = sum([total.departed, ...total.present.values()])
      return { pool: total.pool, slot: total.slot, restarts: total.restarts, handOffs, begun, failed, responseSumMs, responses }
    })
  }

  #totalOf(pool: string, slot: number): SlotTotal {
    const key = `${pool}/${slot}`
    const known = this.#totals.get(key)
    if (known !== undefined) return known
    const total: SlotTotal = { pool, slot, departed: NONE, present: new Map(), restarts: 0 }
    this.#totals.set(key, total)
    return total
  }
}

function countsOf({ handOffs, begun, failed, details }: WorkerStatus): Counts {
  return details === null ? [handOffs, begun, failed] : [handOffs, begun, failed, details.responses.sumMs, ...details.responses.counts]
}

/** The last counts of a process that left are added to the departed, and so is a count that fell: its pid was used again. */
function settle(total: SlotTotal, present: Map<string, Counts>): void {
  for (const [worker, counts] of total.present) {
    const now = present.get(worker)
    total.departed = sum([total.departed, counts.map((count, index) => (now === undefined || (now[index] ?? 0) < count ? count : 0))])
  }
  total.present = present
}

function sum(all: readonly Counts[]): Counts {
  return NONE.map((_, index) => all.reduce((total, counts) => total + (counts[index] ?? 0), 0))
}
