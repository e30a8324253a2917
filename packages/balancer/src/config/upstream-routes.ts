// The policies of routes to upstream pools. They choose an upstream server, in the proxy worker; the primary chooses the worker by the load of its loop.

import { networkInterfaces } from 'node:os'
import { leastBusy, type PolicyData } from '@switchyard/routing'
import type { ListenAddress } from '../listener-settings.ts'
import { defaultPool, type PoolSettings, type RouteSettings, type Settings } from '../settings.ts'
import { formatAddress } from './listen-options.ts'

type Routing = Pick<Settings, 'pools' | 'routes' | 'defaultPolicy'>

/** Gives the policies of these routes to their pools, and `leastBusy()` to the routes. */
export function withUpstreamPolicies({ pools, routes, defaultPolicy }: Routing): Routing {
  if (!pools.some(({ upstream }) => upstream !== undefined)) return { pools, routes, defaultPolicy }
  const fallback = defaultPool(pools)?.name
  const dataOf = (pool: string): (PolicyData | 'own' | null)[] => [
    ...routes.map((route) => (route.pool === pool ? (route.policy.data ?? 'own') : null)),
    pool === fallback ? (defaultPolicy.data ?? 'own') : null,
  ]
  const byLoop = new Map(pools.filter(({ upstream }) => upstream !== undefined).map(({ name }) => [name, leastBusy()]))
  return {
    pools: pools.map(
      (pool): PoolSettings =>
        pool.upstream === undefined ? pool : { ...pool, upstream: { ...pool.upstream, policies: dataOf(pool.name) } },
    ),
    routes: routes.map((route): RouteSettings => ({ ...route, policy: byLoop.get(route.pool) ?? route.policy })),
    defaultPolicy: byLoop.get(fallback ?? '') ?? defaultPolicy,
  }
}

/** One sentence for each upstream server that is this balancer itself. */
export function loopWarnings({ pools, listen = [] }: Settings): string[] {
  return pools.flatMap(({ name, upstream }) =>
    (upstream?.servers ?? []).flatMap((server) => {
      const own = listen.find((address) => isSame(address, server))
      return own === undefined
        ? []
        : [`pool ${name}: ${server.name} is this balancer itself (listen ${formatAddress(own)}), so a request would go round in a loop`]
    }),
  )
}

function isSame(
  { host, port, path }: ListenAddress,
  server: { host: string | undefined; port: number | undefined; path: string | undefined },
): boolean {
  if (path !== undefined || server.path !== undefined) return path === server.path
  if (port !== server.port || server.host === undefined) return false
  const isOwn = server.host === 'localhost' || ownAddresses().has(server.host) || /^127\.|^(::1?|0\.0\.0\.0)$/.test(server.host)
  const listensOnAll = host === undefined || host === '::' || host === '0.0.0.0'
  return listensOnAll
    ? isOwn
    : host === server.host ||
        (server.host === 'localhost' && /^(127\.0\.0\.1|::1)$/.test(host)) ||
        (host === 'localhost' && isLoopback(server.host))
}

function isLoopback(host: string): boolean {
  return host === '127.0.0.1' || host === '::1'
}

function ownAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)))
}
