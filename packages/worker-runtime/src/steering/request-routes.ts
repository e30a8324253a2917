// Finds the route of a request that this worker serves. Several parts ask for the same request, one after the other, so the last one is remembered.

import type { IncomingMessage } from 'node:http'
import type { Route } from '@switchyard/routing'
import { headOf } from './steering.ts'
import type { RouteMeaning, WorkerRouteTable } from './worker-routes.ts'

export class RequestRoutes {
  private readonly table: WorkerRouteTable
  /** The only route; undefined: there are several. */
  private readonly only: Route<RouteMeaning> | undefined
  private last: IncomingMessage | undefined
  private lastRoute: Route<RouteMeaning> | undefined

  constructor(table: WorkerRouteTable) {
    this.table = table
    this.only = table.routes.length === 0 ? table.fallback : undefined
  }

  find(request: IncomingMessage): Route<RouteMeaning> {
    if (this.only !== undefined) return this.only
    if (this.last === request) return this.lastRoute as Route<RouteMeaning>
    const route = this.table.find(headOf(request))
    this.last = request
    this.lastRoute = route
    return route
  }

  /** The number of the request's route. */
  indexOf(request: IncomingMessage): number {
    return this.find(request).policy.index
  }
}
