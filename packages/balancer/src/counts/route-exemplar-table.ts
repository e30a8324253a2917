// The last exemplar of each bucket of a route's durations.

import { MAX_COUNTED_ROUTES, ROUTE_COLUMNS, responseBoundsMs } from '@switchyard/handoff'
import type { MetricExemplar, RouteExemplar } from '@switchyard/worker-runtime'

const MAX_ROUTES = 1000

export class RouteExemplarTable {
  private readonly byRoute = new Map<string, (MetricExemplar | undefined)[]>()

  /** `routes`: as the worker numbers them. */
  add(routes: readonly string[], exemplars: readonly RouteExemplar[]): void {
    for (const { row, bucket, ...exemplar } of exemplars) {
      const route = row < (MAX_COUNTED_ROUTES - 1) * ROUTE_COLUMNS ? routes[row / ROUTE_COLUMNS] : undefined
      if (route === undefined || bucket < 0 || bucket > responseBoundsMs.length) continue
      const buckets = this.byRoute.get(route) ?? []
      if (buckets.length === 0 && this.byRoute.size >= MAX_ROUTES) continue
      buckets[bucket] = exemplar
      this.byRoute.set(route, buckets)
    }
  }

  /** By bucket. */
  of(route: string): readonly (MetricExemplar | undefined)[] {
    return this.byRoute.get(route) ?? []
  }
}
