// One config, bound for use: its routes with their policies, and what workers are told of them. A reload binds another.

import type { Arrival } from '@switchyard/handoff'
import {
  bindPolicy,
  type Policy,
  type PolicyContext,
  preferResumed,
  type RouteTable,
  type TicketHomes,
  TicketSeal,
  type VisitorSlots,
} from '@switchyard/routing'
import type { ChoiceCounts, RouteChoices } from '../decisions/choice-counts.ts'
import type { PoolSettings, Settings } from '../settings.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import { type SharedStart, sharedStart } from '../supervisor/workers/shared-start.ts'
import type { Pool } from './pool.ts'
import { FALLBACK_ROUTE, routeTable } from './route-table.ts'

/** Where a route leads. */
export interface Destination {
  /** The name of the route. */
  readonly route: string
  readonly choices: RouteChoices
  readonly pool: Pool
  readonly policy: Policy
}

/** What decides a route: the head, and the listener in the tag. */
export type PlacedRequest = Pick<Arrival, 'head' | 'tag'>

/** The routes in force, as the dispatcher asks them. */
export interface ActiveRoutes {
  /** Could the app read this head in a way that leads to another route? */
  refuses(request: PlacedRequest): boolean
  /** Pool and policy for a connection. */
  destination(request: PlacedRequest): Destination
  poolOf(worker: PoolWorker): Pool
}

export interface BoundRoutes {
  readonly settings: Settings
  readonly routes: RouteTable<Destination>
  /** By pool: for requests that no route matches, on a listener where only the app of that pool listens. */
  readonly defaults: ReadonlyMap<string, Destination>
  readonly shared: SharedStart
}

export interface BoundRoutesOptions {
  readonly poolOf: (settings: PoolSettings) => Pool
  /** Proves to a worker that another worker or the primary forwarded a request; the same for all configs. */
  readonly forwardToken: string
  /** Knows visitors by a cookie of the app's own. */
  readonly visitors: VisitorSlots
  /** Knows the slots of TLS session tickets. */
  readonly tlsTickets?: TicketHomes | undefined
  readonly onPolicyFailed: (route: string, error: unknown) => void
  readonly choices: ChoiceCounts
  /** The number of workers that a pool should have now. */
  readonly desiredOf: (pool: string) => number
}

/** Binds the routes of faultless settings. Changes nothing that runs. */
export function bindRoutes(settings: Settings, options: BoundRoutesOptions): BoundRoutes {
  const { poolOf, forwardToken, visitors, tlsTickets, onPolicyFailed } = options
  const seal = new TicketSeal(settings.ticketKeys)
  const pools = new Map(settings.pools.map((pool) => [pool.name, poolOf(pool)]))
  const homes = new Map(settings.pools.map((pool) => [pool.name, homesOf(pool, options.desiredOf)]))
  const bind = (policy: Policy, pool: string, route: string): Destination => {
    const onError = (error: unknown) => onPolicyFailed(route, error)
    const choices = options.choices.of(route, policy.name)
    const context: PolicyContext = {
      pool,
      seal,
      now: Date.now,
      visitors,
      tlsTickets,
      onError,
      onSticky: choices.onSticky,
      homes: homes.get(pool),
    }
    const bound = bindPolicy(policy, context)
    const resumes = bound.ticket === undefined && givesTickets(settings, pool)
    return { route, choices, pool: pools.get(pool) as Pool, policy: resumes ? preferResumed(bound, context) : bound }
  }
  const routes = routeTable<Destination>(settings, bind)
  const defaults = new Map(settings.pools.map(({ name }) => [name, bind(settings.defaultPolicy, name, FALLBACK_ROUTE)]))
  return { settings, routes, defaults, shared: sharedStart(settings, [...routes.routes, routes.fallback], forwardToken) }
}

/** The slots of a pool, made anew only when their number has changed. */
function homesOf({ name, weights }: PoolSettings, desiredOf: (pool: string) => number): () => readonly { slot: number; weight: number }[] {
  let homes: readonly { slot: number; weight: number }[] = []
  return () => {
    const length = desiredOf(name)
    if (homes.length !== length) homes = Array.from({ length }, (_, slot) => ({ slot, weight: weights[slot] ?? 1 }))
    return homes
  }
}

/** Is any route of the pool sticky by ticket? */
function givesTickets({ routes }: Settings, pool: string): boolean {
  return routes.some((route) => route.pool === pool && route.policy.ticket !== undefined)
}
