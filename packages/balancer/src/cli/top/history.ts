// What `balancer top` remembers of the statuses that it has read: rates, quantiles and their last values for each worker and route. Pure: time is passed in.

import type { ControlStatus, PoolReport, WorkerReport } from '../../control/control-protocol.ts'
import { type Recent, RecentFailures } from '../../recent-failures.ts'
import type { UpstreamServerStatus } from '../../status.ts'
import { stuckMs } from '../../troubles.ts'
import { quantile } from './quantile.ts'
import { RouteHistory, type RouteSample } from './route-history.ts'
import { type Series, sumOf, Track, type Values } from './track.ts'

const P99 = 0.99

export interface WorkerSample {
  readonly pool: string
  readonly slot: number
  readonly worker: WorkerReport
  readonly values: Values
  readonly series: Series
}

/** An upstream server. */
export interface ServerSample {
  readonly pool: string
  readonly server: UpstreamServerStatus
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

export class History {
  status: ControlStatus | undefined
  workers: readonly WorkerSample[] = []
  servers: readonly ServerSample[] = []
  routes: readonly RouteSample[] = []
  totals: Totals | undefined
  recent: Recent | undefined
  private routeHistory = new RouteHistory()
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
          const recent = track.responses.record(worker.details?.responses.counts)
          counts.push(recent)
          const begun = track.increase('begun', worker.begun)
          const { load } = worker
          const values: Values = {
            rate: begun === undefined || seconds === undefined ? undefined : unwrapped(begun) / seconds,
            p99: quantile(recent, P99),
            loop: stuckMs(worker) > 0 ? 1 : load.utilisation,
            wait: undefined,
            queue: load.inFlight,
          }
          track.push(values)
          return { pool: pool.name, slot: worker.slot, worker, values, series: track.series }
        }),
    )
    this.servers = status.pools.flatMap(({ name, servers }) => (servers ?? []).map((server) => this.server(name, server, seconds, tracks)))
    this.tracks = tracks
    this.status = status
    this.pid = status.pid
    this.lastMs = nowMs
    this.workers = workers
    this.routes = this.routeHistory.record(status, seconds)
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
      loop: workers.reduce((sum, { values: { loop = 0 } }) => sum + loop, 0) / Math.max(1, workers.length),
      wait: undefined,
      queue: status.connections.waiting.queue,
    }
    this.total.push(values)
    return { values, series: this.total.series, refusedRate }
  }

  private server(pool: string, server: UpstreamServerStatus, seconds: number | undefined, tracks: Map<string, Track>): ServerSample {
    const key = `server ${pool}/${server.slot} ${server.generation}`
    const track = this.tracks.get(key) ?? new Track()
    tracks.set(key, track)
    const sent = track.increase('begun', server.requests)
    const rate = sent === undefined || seconds === undefined ? undefined : unwrapped(sent) / seconds
    const values: Values = { rate, p99: undefined, loop: undefined, wait: undefined, queue: server.inFlight }
    track.push(values)
    return { pool, server, values, series: track.series }
  }

  private forget(): void {
    this.tracks = new Map()
    this.total = new Track()
    this.routeHistory = new RouteHistory()
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

/** The count of a worker wraps at 2³². */
function unwrapped(increase: number): number {
  const delta = increase >>> 0
  return delta > 2 ** 31 ? 0 : delta
}
