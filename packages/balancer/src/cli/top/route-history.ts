// What `balancer top` remembers of single routes: rates, quantiles, and how long connections wait for a worker of the route's pool.

import type { ControlStatus, PoolReport } from '../../control/control-protocol.ts'
import { quantile } from './quantile.ts'
import { RecentBuckets, type Series, Track, type Values } from './track.ts'

export interface RouteSample {
  readonly route: string
  /** Where it leads; undefined: it is a route of an earlier config. */
  readonly pool: string | undefined
  readonly values: Values
  readonly series: Series
  /** Requests in a second that were answered with 5xx or aborted. */
  readonly failedRate: number | undefined
}

const P99 = 0.99

export class RouteHistory {
  private tracks = new Map<string, Track>()
  private waits = new Map<string, RecentBuckets>()

  /** `seconds`: since the last call; undefined: there was none. A balancer of an older version counts no routes. */
  record(
    { routes = [], pools }: { readonly routes?: ControlStatus['routes'] } & Pick<ControlStatus, 'pools'>,
    seconds?: number,
  ): RouteSample[] {
    const waits = this.recordWaits(pools)
    const tracks = new Map<string, Track>()
    const samples = routes.map(({ route, pool, inFlight, results, durations }): RouteSample => {
      const track = this.tracks.get(route) ?? new Track()
      tracks.set(route, track)
      const ended = track.increase('ended', sum(Object.values(results)))
      const failed = track.increase('failed', (results['5xx'] ?? 0) + (results.aborted ?? 0))
      const per = (count: number | undefined): number | undefined =>
        count === undefined || seconds === undefined ? undefined : Math.max(0, count) / seconds
      const values: Values = {
        rate: per(ended),
        p99: quantile(track.responses.record(durations.counts), P99),
        loop: undefined,
        wait: waits.get(pool ?? ''),
        queue: inFlight,
      }
      track.push(values)
      return { route, pool: pool ?? undefined, values, series: track.series, failedRate: per(failed) }
    })
    this.tracks = tracks
    return samples
  }

  /** By pool, in ms. Pools whose connections did not wait are left out. */
  private recordWaits(pools: ControlStatus['pools']): ReadonlyMap<string, number> {
    const before = this.waits
    this.waits = new Map(pools.map(({ name }) => [name, before.get(name) ?? new RecentBuckets()]))
    const found = new Map<string, number>()
    for (const { name, queue } of pools as readonly PoolReport[]) {
      const wait = quantile((this.waits.get(name) as RecentBuckets).record(queue?.waits.counts), P99)
      if (wait !== undefined) found.set(name, wait)
    }
    return found
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}
