// Builds the table of routes of a config, with a value of the caller's for each route's policy.

import { type Policy, RouteTable } from '@switchyard/routing'
import { defaultPool, type Settings } from '../settings.ts'

/** The name of the route for requests that no other route matches. */
export const FALLBACK_ROUTE = '(everything else)'

/** Calls `bind` once for each route, last for the fallback. */
export function routeTable<P>(settings: Settings, bind: (policy: Policy, pool: string, route: string) => P): RouteTable<P> {
  const routes = settings.routes.map(({ name, match, pool, policy }) => ({ name, match, pool, policy: bind(policy, pool, name) }))
  const pool = defaultPool(settings.pools)?.name ?? ''
  return new RouteTable(routes, { name: FALLBACK_ROUTE, match: {}, pool, policy: bind(settings.defaultPolicy, pool, FALLBACK_ROUTE) })
}
