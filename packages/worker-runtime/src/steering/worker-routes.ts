// Builds the worker's copy of the route table: the same conditions, and the part of each policy that a worker needs.

import {
  bindPolicy,
  type Policy,
  type PolicyContext,
  policyFromData,
  type Route,
  RouteTable,
  type TicketOptions,
  type VisitorSlots,
} from '@switchyard/routing'
import type { OwnPolicies, WorkerRoute } from '../protocol.ts'
import type { Runtime } from '../runtime.ts'

/** The part of a route that a worker needs. */
export interface RouteMeaning {
  /** The route's number in the table. */
  readonly index: number
  readonly policyName: string
  /** How responses get tickets; undefined: they get none. */
  readonly ticket: TicketOptions | undefined
  /** Cookies of the app that identify visitors on this route. */
  readonly learns: readonly string[]
  /** Decides on later requests; undefined: they stay. */
  readonly policy: Policy | undefined
  /** Are streams of HTTP/2 spread over the pool? undefined: as their listener says. */
  readonly spread: boolean | undefined
}

export type WorkerRouteTable = RouteTable<RouteMeaning>

/**
 * `slots`: the occupied slots of this worker's pool. `visitors`: the visitors that this worker knows. Loads the user's config only when a policy is the
 * user's own code, and throws what the config throws.
 */
export async function buildRoutes(
  runtime: Runtime,
  slots: PolicyContext['slots'] & {},
  visitors?: VisitorSlots,
): Promise<WorkerRouteTable> {
  const { start, seal } = runtime
  const own = start.routes.some(({ policy }) => policy === 'own') ? await loadOwn(start.ownPolicies) : []
  const routes = start.routes.map((route, index): Route<RouteMeaning> => {
    const { name, match, pool, ticket, learns = [], policyName = '', spread } = route
    const policy = policyOf(route, start.trustedProxies, own[index])
    const onError = (error: unknown) =>
      runtime.send({ switchyard: 'notice', level: 'warn', message: `the policy of route ${name} failed: ${error}` })
    const bound = policy === undefined ? undefined : bindPolicy(policy, { pool, seal, now: Date.now, slots, visitors, onError })
    return { name, match, pool, policy: { index, policyName, ticket, learns, policy: bound, spread } }
  })
  return new RouteTable(routes.slice(0, -1), routes[routes.length - 1] as Route<RouteMeaning>)
}

function policyOf({ policy }: WorkerRoute, trustedProxies: readonly string[], own: Policy | undefined): Policy | undefined {
  return policy === undefined || policy === 'own' ? own : policyFromData(policy, { trustedProxies })
}

/** Policies that are the user's own code, by the number of the route. Throws what the config throws. */
export async function loadOwn(where: OwnPolicies | undefined): Promise<readonly (Policy | undefined)[]> {
  if (where === undefined) return []
  const { module, file, variables } = where
  const { loadPolicies } = (await import(module)) as {
    loadPolicies(file: string, variables: OwnPolicies['variables']): Promise<readonly (Policy | undefined)[]>
  }
  return loadPolicies(file, variables)
}
