// `routes`: which requests go to which pool, and by which policy.

import { type Policy, patternFault, protocolFault, type RouteMatch, routeName, serverNameFault } from '@switchyard/routing'
import * as v from 'valibot'
import type { RouteSettings } from '../settings.ts'
import { didYouMean, type Fault, formatPath, type Loose, listOf, looseOf, show } from './faults.ts'
import { formatAddress, parseListen } from './listen-options.ts'
import { type PolicyConfig, policy, policyOf } from './policy-options.ts'
import { listensOf } from './pool/job-options.ts'
import { DEFAULT_POOL_NAME, type PoolConfig, poolsOf } from './pool/pool-options.ts'
import { expected, flag, shape, text } from './schema.ts'

/** Which requests, and where they go. Left out: every request, the first pool, the policy of the config. */
export interface RouteConfig extends RouteMatch {
  pool?: string | undefined
  policy?: PolicyConfig | undefined
  /** Streams of HTTP/2 that keep the event loop busy, or come from another pool, go to the worker with the fewest requests. Default: as the listener's `http2.spread`. */
  spread?: boolean | undefined
  /** For logs and `balancer explain`. Default: what it matches. */
  name?: string | undefined
}

/** The options that routes depend on. */
interface RoutingConfig {
  routes?: readonly RouteConfig[] | undefined
  policy?: PolicyConfig | undefined
  pools?: Readonly<Record<string, PoolConfig>> | undefined
  trustedProxies?: readonly string[] | undefined
}

function checkedText(kind: string, faultOf: (text: string) => string | undefined) {
  return v.pipe(
    v.string(kind),
    v.rawCheck(({ dataset, addIssue }) => {
      const fault = typeof dataset.value === 'string' ? faultOf(dataset.value) : undefined
      if (fault !== undefined) addIssue({ message: `${fault}, got ${show(dataset.value)}` })
    }),
  )
}

const pathPattern = checkedText('a path pattern', patternFault)
const serverName = checkedText("a server name such as 'example.com'", serverNameFault)
const protocol = checkedText("a protocol id such as 'h2'", protocolFault)
const method = expected(v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~\w-]+$/)), "a method such as 'GET'")

function oneOrMore<S extends v.GenericSchema>(schema: S, atLeast: string) {
  return v.lazy((input) => (Array.isArray(input) ? v.pipe(v.array(schema), v.nonEmpty(atLeast)) : schema))
}

export const routeEntries = {
  path: v.optional(pathPattern),
  method: v.optional(oneOrMore(method, 'at least one method')),
  host: v.optional(text),
  header: v.optional(
    v.record(v.string(), v.union([v.string(), v.literal(true)], 'a string, or true for any value'), 'an object of header names and values'),
  ),
  sni: v.optional(oneOrMore(serverName, 'at least one server name')),
  alpn: v.optional(oneOrMore(protocol, 'at least one protocol')),
  listener: v.optional(
    expected(
      v.union([v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535)), v.pipe(v.string(), v.minLength(1))]),
      "a port from 1 to 65535, 'host:port' or the path of a socket",
    ),
  ),
  pool: v.optional(text),
  policy,
  spread: flag,
  name: v.optional(text),
}

export const routes = v.optional(v.array(shape(routeEntries), 'a list of routes'))

export function routeFaults({ pools, routes }: Loose): Fault[] {
  const known = pools === undefined ? [DEFAULT_POOL_NAME] : Object.keys(looseOf(pools))
  const isDeaf = (pool: string) => !listensOf(looseOf(looseOf(pools)[pool]))
  return listOf(routes).flatMap((route, index) => {
    const { pool } = looseOf(route)
    if (typeof pool !== 'string') return []
    const path = formatPath(['routes', index, 'pool'])
    if (known.includes(pool)) return isDeaf(pool) ? [{ path, message: `pool '${pool}' does not listen, so no route may lead to it` }] : []
    return [{ path, message: `there is no pool '${pool}'${didYouMean(pool, known)}` }]
  })
}

/** The routes of a checked config, and the policy for requests that match none. */
export function routeSettings(config: RoutingConfig, folder: string): { routes: RouteSettings[]; defaultPolicy: Policy } {
  const pools = Object.entries(poolsOf(config.pools))
  const [firstPool] = (pools.find(([, pool]) => listensOf({ ...pool })) ?? pools[0]) as [string, PoolConfig]
  const policies = new Policies(config.policy, config.trustedProxies ?? [])
  const routes = (config.routes ?? []).map(({ pool = firstPool, policy, spread, name, ...rest }) => {
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as RouteMatch
    const match = given.listener === undefined ? given : { ...given, listener: listenerIn(given.listener, folder) }
    return { name: name ?? routeName(match), match, pool, policy: policies.of(policy, pool), ...(spread !== undefined && { spread }) }
  })
  return { routes, defaultPolicy: policies.of(undefined, firstPool) }
}

/** Faults of the listeners that routes name. */
export function routeListenerFaults({ routes }: Loose, folder: string): Fault[] {
  return listOf(routes).flatMap((route, index) => {
    const { listener } = looseOf(route)
    const parsed = typeof listener === 'string' && listener !== '' ? parseListen(listener, folder) : undefined
    if (parsed === undefined || ('value' in parsed && parsed.value.port !== 0)) return []
    return [
      { path: formatPath(['routes', index, 'listener']), message: 'fault' in parsed ? parsed.fault : 'expected a port from 1, got 0' },
    ]
  })
}

/** A port, `host:port` or an absolute path. */
function listenerIn(listener: number | string, folder: string): number | string {
  const parsed = parseListen(listener, folder)
  if ('fault' in parsed) return listener
  const { host, port, path } = parsed.value
  return path === undefined && host === undefined && port !== undefined ? port : formatAddress(parsed.value)
}

/** Routes of one pool that name no policy share one, so that round robin runs over all of their requests. */
class Policies {
  private readonly defaults = new Map<string, Policy>()
  private readonly policy: PolicyConfig | undefined
  private readonly trustedProxies: readonly string[]

  constructor(policy: PolicyConfig | undefined, trustedProxies: readonly string[]) {
    this.policy = policy
    this.trustedProxies = trustedProxies
  }

  of(policy: PolicyConfig | undefined, pool: string): Policy {
    const scope = { trustedProxies: this.trustedProxies }
    if (policy !== undefined) return policyOf(policy, scope)
    const shared = this.defaults.get(pool) ?? policyOf(this.policy, scope)
    this.defaults.set(pool, shared)
    return shared
  }
}
