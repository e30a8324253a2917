// Totals of a seat over all the processes that sat in it. A process counts from 0; a Prometheus counter must never fall when it is replaced.

import { responseBoundsMs } from '@switchyard/handoff'
import type { PoolStatus, WorkerStatus } from '../status.ts'

/** Everything that a process counts from its start, in one list. */
type Counts = readonly number[]

interface RunningTotal {
  pool: string
  slot: number
  /** Of processes that are gone. */
  departed: Counts
  /** Last seen counts of each process in the seat, by generation and pid. */
  present: Map<string, Counts>
  restarts: number
}

/** What became of a seat since the balancer started. */
export interface SlotTotal {
  pool: string
  slot: number
  restarts: number
  handOffs: number
  begun: number
  failed: number
  /** What its workers asked the store of sessions, how often that failed, and what it took. */
  sessionCommands: number
  sessionCommandsFailed: number
  sessionCommandsMs: number
  /** Reads of sessions that were answered without asking, and those that were not. */
  nearHits: number
  nearMisses: number
  /** How many of the timed requests fell into each bucket of `responseBoundsMs`, and beyond. */
  responses: readonly number[]
  responseSumMs: number
}

const PLAIN_COUNTS = 9
const NONE: Counts = new Array(PLAIN_COUNTS + responseBoundsMs.length + 1).fill(0)

/** Keeps totals per pool and slot. Bounded by the number of slots that ever were. */
export class SlotTotals {
  readonly #totals = new Map<string, RunningTotal>()

  /** Takes in what the pools say now and returns the totals of every seat. */
  update(pools: readonly PoolStatus[]): SlotTotal[] {
    const now = new Map<RunningTotal, Map<string, Counts>>()
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
      const counts = sum([total.departed, ...total.present.values()])
      const { pool, slot, restarts } = total
      return { pool, slot, restarts, ...namedCounts(counts) }
    })
  }

  #totalOf(pool: string, slot: number): RunningTotal {
    const key = `${pool}/${slot}`
    const known = this.#totals.get(key)
    if (known !== undefined) return known
    const total: RunningTotal = { pool, slot, departed: NONE, present: new Map(), restarts: 0 }
    this.#totals.set(key, total)
    return total
  }
}

function countsOf({ handOffs, begun, failed, sessions, details }: WorkerStatus): Counts {
  const { commands = 0, failed: failedCommands = 0, sumMs = 0, nearHits = 0, nearMisses = 0 } = sessions ?? {}
  const plain = [handOffs, begun, failed, commands, failedCommands, sumMs, nearHits, nearMisses]
  return details === null ? plain : [...plain, details.responses.sumMs, ...details.responses.counts]
}

function namedCounts(counts: Counts): Omit<SlotTotal, 'pool' | 'slot' | 'restarts'> {
  const [handOffs = 0, begun = 0, failed = 0, sessionCommands = 0, sessionCommandsFailed = 0, sessionCommandsMs = 0, ...rest] = counts
  const [nearHits = 0, nearMisses = 0, responseSumMs = 0, ...responses] = rest
  return {
    handOffs,
    begun,
    failed,
    sessionCommands,
    sessionCommandsFailed,
    sessionCommandsMs,
    nearHits,
    nearMisses,
    responseSumMs,
    responses,
  }
}

/** The last counts of a process that left are added to the departed, and so is a count that fell: its pid was used again. */
function settle(total: RunningTotal, present: Map<string, Counts>): void {
  for (const [worker, counts] of total.present) {
    const now = present.get(worker)
    total.departed = sum([total.departed, counts.map((count, index) => (now === undefined || (now[index] ?? 0) < count ? count : 0))])
  }
  total.present = present
}

function sum(all: readonly Counts[]): Counts {
  return NONE.map((_, index) => all.reduce((total, counts) => total + (counts[index] ?? 0), 0))
}
