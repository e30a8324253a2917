// Whether the streams of a route are spread over its pool, and why: its option `spread`, or `http2.spread` of the listener, where one has an effect.

import { type ListenerAddress, listenerTest, listenerText, type Policy } from '@switchyard/routing'
import type { ListenAddress } from './listener-settings.ts'
import type { RouteSettings, Settings } from './settings.ts'

export interface RouteSpread {
  isOn: boolean
  /** For people, without a subject of its own. */
  why: string
}

/** A route of the config, or the one for everything else. */
export type SpreadRoute = Pick<RouteSettings, 'pool' | 'spread'> & { readonly policy: Policy }

/** On one listener. Undefined: the listener has no HTTP/2. */
export function routeSpread(
  route: SpreadRoute,
  { pools, listen = [] }: Pick<Settings, 'pools' | 'listen'>,
  listener: ListenerAddress | undefined,
): RouteSpread | undefined {
  const http2 = listener && listen.find(isSame(listener))?.http2
  if (http2 === undefined) return undefined
  const obstacle = obstacleOf(route, pools)
  if (obstacle !== undefined) return { isOn: false, why: obstacle }
  const { spread } = route
  const isOn = spread ?? http2.spread
  return { isOn, why: spread === undefined ? `'http2.spread' of the listener is ${isOn}` : `'spread' of the route is ${isOn}` }
}

/** `yes`, `no`, `by listener` if that differs, or `-` without HTTP/2, on all listeners that the route matches. */
export function spreadText(route: SpreadRoute & Pick<RouteSettings, 'match'>, settings: Pick<Settings, 'pools' | 'listen'>): string {
  const found = new Set(http2Of(route, settings).map((address) => routeSpread(route, settings, address)?.isOn))
  return found.size === 0 ? '-' : found.size > 1 ? 'by listener' : found.has(true) ? 'yes' : 'no'
}

/** One sentence for each route whose option has no effect. */
export function spreadWarnings(settings: Pick<Settings, 'pools' | 'listen' | 'routes'>): string[] {
  return settings.routes.flatMap((route) => {
    if (route.spread === undefined) return []
    const obstacle = http2Of(route, settings).length === 0 ? noHttp2(route, settings) : obstacleOf(route, settings.pools)
    return obstacle === undefined ? [] : [`'spread' of the route ${route.name} has no effect: ${obstacle}`]
  })
}

/** Why no stream of the route is ever spread. */
function obstacleOf({ pool, policy }: SpreadRoute, pools: Settings['pools']): string | undefined {
  if (pools.find(({ name }) => name === pool)?.upstream !== undefined)
    return `the workers of ${pool} are proxies, and a request does not keep their event loops busy`
  return policy.stays === undefined ? undefined : `the policy ${policy.name} chooses the worker of each stream`
}

function noHttp2({ match: { listener } }: RouteSettings, { listen }: Pick<Settings, 'listen'>): string {
  if (listen === undefined) return "the config has no 'listen' with 'http2'"
  return listener === undefined ? "no address of 'listen' has 'http2'" : `the listener ${listener} has no 'http2'`
}

function http2Of({ match: { listener } }: Pick<RouteSettings, 'match'>, { listen = [] }: Pick<Settings, 'listen'>): ListenAddress[] {
  const matches = listener === undefined ? () => true : listenerTest(listener)
  return listen.filter((address) => address.http2 !== undefined && matches(address))
}

/** A port without a host is that port of any host. */
function isSame(listener: ListenerAddress): (address: ListenAddress) => boolean {
  const { host, port, path } = listener
  return listenerTest(path ?? (host === undefined && port !== undefined ? port : listenerText(listener)))
}
