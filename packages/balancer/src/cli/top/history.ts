// What `balancer top` remembers of the statuses that it has read: rates, quantiles and their last values for each worker. Pure: time is passed in.

import { responseBoundsMs } from '@switchyard/handoff'
import type { ControlStatus, PoolReport, WorkerReport } from '../../control/control-protocol.ts'
import { type Recent, RecentFailures } from '../../recent-failures.ts'
import { stuckMs } from '../../troubles.ts'
import { quantile } from './quantile.ts'

/** Values of a sparkline that are kept. */
export const KEPT = 120
/** Quantiles are of the responses in so many of the last samples. */
const QUANTILE_SAMPLES = 10
const P99 = 0.99

export interface Series {
  readonly rate: readonly (number | undefined)[]
  readonly p99: readonly (number | undefined)[]
  readonly loop: readonly (number | undefined)[]
  readonly queue: readonly (number | undefined)[]
}

/** Present values. `rate`: requests in a second. `loop`: share of time that the event loop was busy. `queue`: requests in flight. */
export interface Values {
  readonly rate: number | undefined
  readonly p99: number | undefined
  readonly loop: number
  readonly queue: number
}

export interface WorkerSample {
  readonly pool: string
  readonly slot: number
  readonly worker: WorkerReport
  readonly values: Values
  readonly series: Series
}

export interface Totals {
  /** `loop` is the mean, `queue` the connections that wait for a worker. */
  readonly values: Values
  readonly series: Series
  /** Refused connections in a second. */
  readonly refusedRate: number | undefined
}

/** One process, or the balancer as a whole. */
class Track {
  readonly series = { rate: [] as (number | undefined)[], p99: [] as (number | undefined)[], loop: [] as number[], queue: [] as number[] }
  private lastBegun: number | undefined
  private lastCounts: readonly number[] | undefined
  private readonly deltas: (readonly number[])[] = []

  /** Requests since the last sample; undefined at the first. */
  begun(count: number): number | undefined {
    const last = this.lastBegun
    this.lastBegun = count
    if (last === undefined) return undefined
    // The count wraps.
    const delta = (count - last) >>> 0
    return delta > 2 ** 31 ? 0 : delta
  }

  /** The last responses by bucket. */
  recordCounts(counts: readonly number[] | undefined): readonly number[] {
    const last = this.lastCounts
    if (counts !== undefined) {
      this.lastCounts = counts
      // Before the first sample nothing is known of the time.
      this.deltas.push(counts.map((count, bucket) => (last === undefined ? 0 : Math.max(0, count - (last[bucket] ?? 0)))))
    }
    while (this.deltas.length > QUANTILE_SAMPLES) this.deltas.shift()
    return sumOf(this.deltas)
  }

  push(values: Values): void {
    for (const name of ['rate', 'p99', 'loop', 'queue'] as const) {
      const list: (number | undefined)[] = this.series[name]
      list.push(values[name])
      if (list.length > KEPT) list.shift()
    }
  }
}

export class History {
  status: ControlStatus | undefined
  workers: readonly WorkerSample[] = []
  totals: Totals | undefined
  recent: Recent | undefined
  private failures = new RecentFailures()
  private tracks = new Map<string, Track>()
  private total = new Track()
  private lastMs: number | undefined
  private lastRefused: number | undefined
  private pid: number | undefined

  /** `nowMs`: when the status was read, on a monotonic clock. A status of another primary starts a new history. */
  record(status: ControlStatus, nowMs: number): void {
    if (this.pid !== status.pid) this.forget()
    const seconds = this.lastMs === undefined ? undefined : Math.max(1e-3, (nowMs - this.lastMs) / 1000)
    const tracks = new Map<string, Track>()
    const counts: (readonly number[])[] = []
    const workers = status.pools.flatMap((pool) =>
      pool.workers
        .filter(({ state }) => state !== 'gone')
        .map((worker) => {
          const key = `${pool.name}/${worker.slot} ${worker.pid}`
          const track = this.tracks.get(key) ?? new Track()
          tracks.set(key, track)
          const recent = track.recordCounts(worker.details?.responses.counts)
          counts.push(recent)
          const begun = track.begun(worker.begun)
          const { load } = worker
          const values: Values = {
            rate: begun === undefined || seconds === undefined ? undefined : begun / seconds,
            p99: quantile(recent, P99),
            loop: stuckMs(worker) > 0 ? 1 : load.utilisation,
            queue: load.inFlight,
          }
          track.push(values)
          return { pool: pool.name, slot: worker.slot, worker, values, series: track.series }
        }),
    )
    this.tracks = tracks
    this.status = status
    this.pid = status.pid
    this.lastMs = nowMs
    this.workers = workers
    this.recent = this.failures.advance(status, nowMs)
    this.totals = this.sum(status, workers, counts, seconds)
  }

  private sum(status: ControlStatus, workers: readonly WorkerSample[], counts: readonly (readonly number[])[], seconds?: number): Totals {
    const refused = Object.values(status.connections.refused).reduce((sum, count) => sum + count, 0)
    const refusedRate = seconds === undefined || this.lastRefused === undefined ? undefined : (refused - this.lastRefused) / seconds
    this.lastRefused = refused
    const rates = workers.flatMap(({ values: { rate } }) => (rate === undefined ? [] : [rate]))
    const values: Values = {
      rate: rates.length === 0 ? undefined : rates.reduce((sum, rate) => sum + rate, 0),
      p99: quantile(sumOf(counts), P99),
      loop: workers.reduce((sum, { values: { loop } }) => sum + loop, 0) / Math.max(1, workers.length),
      queue: status.connections.waiting.queue,
    }
    this.total.push(values)
    return { values, series: this.total.series, refusedRate }
  }

  private forget(): void {
    this.tracks = new Map()
    this.total = new Track()
    this.failures = new RecentFailures()
    this.lastMs = undefined
    this.lastRefused = undefined
  }
}

/** Slots of a pool that have no worker, with the reason. */
export function emptySlots({
  held = [],
  broken = [],
  finished = [],
  notStarted = [],
  workers,
  desired,
  job,
}: PoolReport): { slot: number; state: string }[] {
  const live = new Set(workers.filter(({ state }) => state !== 'gone').map(({ slot }) => slot))
  const reasons = new Map<number, string>([
    ...notStarted.map(({ slot }) => [slot, 'failed'] as const),
    ...finished.map((slot) => [slot, 'finished'] as const),
    ...held.map((slot) => [slot, 'held'] as const),
    ...broken.map((slot) => [slot, 'broken'] as const),
  ])
  return Array.from({ length: Math.min(desired, MAX_EMPTY) }, (_, slot) => slot)
    .filter((slot) => !live.has(slot))
    .map((slot) => ({ slot, state: reasons.get(slot) ?? (job == null ? 'empty' : 'waiting') }))
}

/** A pool has at most so many rows without a worker. */
const MAX_EMPTY = 1_000

function sumOf(lists: readonly (readonly number[])[]): readonly number[] {
  const sum: number[] = new Array(responseBoundsMs.length + 1).fill(0)
  for (const list of lists) for (const [bucket, count] of list.entries()) sum[bucket] = (sum[bucket] ?? 0) + count
  return sum
}
