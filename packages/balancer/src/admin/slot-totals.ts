// Totals of a slot over all its processes. Each process counts from 0, but a Prometheus counter must not fall when a worker is replaced.

import { responseBoundsMs } from '@switchyard/handoff'
import type { PoolStatus, WorkerStatus } from '../status.ts'

/** All counts of one process since its start. */
type Counts = readonly number[]

interface RunningTotal {
  pool: string
  slot: number
  /** The sum over processes that have exited. */
  exited: Counts
  /** Last known counts of each present process, by generation and pid. */
  present: Map<string, Counts>
  restarts: number
}

/** Counts of a slot since the balancer started. */
export interface SlotTotal {
  pool: string
  slot: number
  restarts: number
  handOffs: number
  begun: number
  failed: number
  /** Commands that its workers sent to the session store, those that failed, and their total duration. */
  sessionCommands: number
  sessionCommandsFailed: number
  sessionCommandsMs: number
  /** Session reads that the near cache answered, and those that needed the store. */
  nearHits: number
  nearMisses: number
  /** Timed requests in each bucket of `responseBoundsMs`, last those above every bound. */
  responses: readonly number[]
  responseSumMs: number
}

const PLAIN_COUNTS = 9
const NONE: Counts = new Array(PLAIN_COUNTS + responseBoundsMs.length + 1).fill(0)

/** Keeps totals per pool and slot. Bounded by the number of slots that have ever existed. */
export class SlotTotals {
  private readonly totals = new Map<string, RunningTotal>()
  /** Many metrics ask for the totals of the same status. */
  private last: { readonly pools: readonly PoolStatus[]; readonly totals: SlotTotal[] } | undefined

  /** Adds the present counts of the pools and returns the totals of every slot. */
  update(pools: readonly PoolStatus[]): SlotTotal[] {
    if (this.last?.pools !== pools) this.last = { pools, totals: this.totalsOf(pools) }
    return this.last.totals
  }

  private totalsOf(pools: readonly PoolStatus[]): SlotTotal[] {
    const now = new Map<RunningTotal, Map<string, Counts>>()
    for (const pool of pools) {
      for (const worker of pool.workers) {
        const total = this.totalOf(pool.name, worker.slot)
        const present = now.get(total) ?? new Map<string, Counts>()
        present.set(`${worker.generation}:${worker.pid}`, countsOf(worker))
        now.set(total, present)
        total.restarts = Math.max(total.restarts, worker.restarts)
      }
    }
    return [...this.totals.values()].map((total) => {
      settle(total, now.get(total) ?? new Map())
      const counts = sum([total.exited, ...total.present.values()])
      const { pool, slot, restarts } = total
      return { pool, slot, restarts, ...namedCounts(counts) }
    })
  }

  private totalOf(pool: string, slot: number): RunningTotal {
    const key = `${pool}/${slot}`
    const known = this.totals.get(key)
    if (known !== undefined) return known
    const total: RunningTotal = { pool, slot, exited: NONE, present: new Map(), restarts: 0 }
    this.totals.set(key, total)
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

/** Adds the last counts of processes that have exited. A count that fell means that the pid was reused by a new process. */
function settle(total: RunningTotal, present: Map<string, Counts>): void {
  for (const [worker, counts] of total.present) {
    const now = present.get(worker)
    total.exited = sum([total.exited, counts.map((count, index) => (now === undefined || (now[index] ?? 0) < count ? count : 0))])
  }
  total.present = present
}

function sum(all: readonly Counts[]): Counts {
  return NONE.map((_, index) => all.reduce((total, counts) => total + (counts[index] ?? 0), 0))
}
