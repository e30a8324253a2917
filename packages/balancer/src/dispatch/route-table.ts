// The table of routes that a config means, with whatever its owner wants to know of a route's policy.

import { type Policy, RouteTable } from '@switchyard/routing'
import type { Settings } from '../settings.ts'

/** The name of the route that serves what no other matches. */
export const FALLBACK_ROUTE = '(everything else)'

/** Builds the table; `bind` is called once for each route, the last one for what no route matches. */
export function routeTable<P>(settings: Settings, bind: (policy: Policy, pool: string, route: string) => P): RouteTable<P> {
  const routes = settings.routes.map(({ name, match, pool, policy }) => ({ name, match, pool, policy: bind(policy, pool, name) }))
  const pool = settings.pools[0]?.name ?? ''
  return new RouteTable(routes, { name: FALLBACK_ROUTE, match: {}, pool, policy: bind(settings.defaultPolicy, pool, FALLBACK_ROUTE) })
}
