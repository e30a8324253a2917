// The last hour of the balancer in samples of five seconds, for the charts. It is kept whether or not a reader looks, so that an hour is there
// when something has happened. It takes 60 KB, one reading of the loops a second, and one status every five seconds.

import type { BalancerStatus, LoopReading, WorkerStatus } from '../status.ts'
import { stuckMs } from '../troubles.ts'
import { BLOCKED_MS } from './loop-strips.ts'
import { ResponseWindow } from './response-window.ts'

export const SAMPLE_MS = 5_000
export const MAX_SAMPLES = 720

/** What a sample has, in the order of the columns. Rates are per second. null in an answer: unknown. */
export const historyFields = [
  'requests',
  'failed',
  'refused',
  'takenBack',
  'moved',
  'p50Ms',
  'p99Ms',
  'loop',
  'busiestLoop',
  'queue',
  'inFlight',
  'connections',
  'memoryBytes',
] as const

type Sample = Readonly<Record<(typeof historyFields)[number], number>>

/** Columns of equal length; `times` in ms since 1970. */
export type HistoryColumns = { times: number[] } & Record<(typeof historyFields)[number], (number | null)[]>

export class History {
  private readonly columns = historyFields.map(() => new Float32Array(MAX_SAMPLES))
  private readonly times = new Float64Array(MAX_SAMPLES)
  private readonly window = new ResponseWindow(1)
  private counters = new Counters()
  private taken = 0
  private lastMs: number | undefined
  /** Utilisation since the last sample: of all loops, and the highest of each reading. */
  private readonly loops = { sum: 0, busiest: 0, readings: 0 }

  /** Takes in the loops of this moment. A worker reports its utilisation over a tenth of a second, so a sample is the mean of several readings. */
  readLoops(loops: readonly LoopReading[]): void {
    if (loops.length === 0) return
    // A loop that is in a long turn can't report, and a process that does not run has no turns.
    const shares = loops.map((loop) => (loop.load.busyMs >= BLOCKED_MS || stuckMs(loop) > 0 ? 1 : loop.load.utilisation))
    this.loops.sum += sum(shares) / shares.length
    this.loops.busiest += Math.max(...shares)
    this.loops.readings++
  }

  /** Adds the sample of this status. Returns the new row; undefined for the first, which has nothing to compare with. */
  add(status: BalancerStatus, nowMs: number): HistoryColumns | undefined {
    const before = this.lastMs
    const counts = this.counters.advance(status)
    this.window.add(status)
    this.lastMs = nowMs
    if (before === undefined || nowMs <= before) return undefined
    const seconds = (nowMs - before) / 1000
    const sample = { ...levelsOf(status), ...this.takeLoops(), ...this.responses(), ...rates(counts, seconds) }
    const row = this.taken++ % MAX_SAMPLES
    this.times[row] = nowMs
    historyFields.forEach((field, column) => {
      ;(this.columns[column] as Float32Array)[row] = sample[field]
    })
    return this.rows([row])
  }

  /** All samples, the oldest first. */
  read(): HistoryColumns {
    const length = Math.min(this.taken, MAX_SAMPLES)
    return this.rows(Array.from({ length }, (_, index) => (this.taken - length + index) % MAX_SAMPLES))
  }

  private rows(rows: readonly number[]): HistoryColumns {
    const times = rows.map((row) => this.times[row] as number)
    const values = historyFields.map((field, column) => [field, rows.map((row) => rounded(this.columns[column]?.[row]))])
    return { times, ...Object.fromEntries(values) }
  }

  private takeLoops(): Pick<Sample, 'loop' | 'busiestLoop'> {
    const { sum: shares, busiest, readings } = this.loops
    Object.assign(this.loops, { sum: 0, busiest: 0, readings: 0 })
    return readings === 0 ? { loop: Number.NaN, busiestLoop: Number.NaN } : { loop: shares / readings, busiestLoop: busiest / readings }
  }

  private responses(): Pick<Sample, 'p50Ms' | 'p99Ms'> {
    return { p50Ms: this.window.quantileMs(0.5) ?? Number.NaN, p99Ms: this.window.quantileMs(0.99) ?? Number.NaN }
  }
}

/** Counts since the last status. A worker that is gone takes its counts along, so each process is compared with itself. */
export class Counters {
  private last = new Map<string, number>()

  advance({ connections, handOffs, moves, pools }: BalancerStatus): {
    requests: number
    failed: number
    refused: number
    takenBack: number
    moved: number
  } {
    const now = new Map<string, number>()
    const total = { requests: 0, failed: 0, refused: 0, takenBack: 0, moved: 0 }
    const count = (name: keyof typeof total, key: string, value: number): void => {
      now.set(key, value)
      total[name] += Math.max(0, value - (this.last.get(key) ?? 0))
    }
    for (const pool of pools)
      for (const { pid, slot, begun, failed } of pool.workers) {
        count('requests', `b ${pool.name} ${slot} ${pid}`, begun)
        count('failed', `f ${pool.name} ${slot} ${pid}`, failed)
      }
    count('refused', 'refused', sum(Object.values(connections.refused)))
    count('takenBack', 'takenBack', handOffs.takenBack)
    count('moved', 'moved', connections.givenBack + sum(moves.forwarded.map(({ count: one }) => one)))
    this.last = now
    return total
  }
}

function rates(counts: ReturnType<Counters['advance']>, seconds: number): typeof counts {
  const { requests, failed, refused, takenBack, moved } = counts
  const each = (count: number): number => count / seconds
  return { requests: each(requests), failed: each(failed), refused: each(refused), takenBack: each(takenBack), moved: each(moved) }
}

type Levels = Pick<Sample, 'queue' | 'inFlight' | 'connections' | 'memoryBytes'>

function levelsOf({ pools, connections }: BalancerStatus): Levels {
  const workers = pools.flatMap((pool) => pool.workers.filter(({ state }) => state === 'ready' || state === 'draining'))
  const each = (read: (worker: WorkerStatus) => number): number[] => workers.map(read)
  return {
    queue: connections.waiting.queue,
    inFlight: sum(each(({ load }) => load.inFlight)),
    connections: sum(each(({ load }) => load.connections)),
    memoryBytes: sum(each(({ load }) => load.memoryBytes)),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function rounded(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : Number(value.toPrecision(5))
}
