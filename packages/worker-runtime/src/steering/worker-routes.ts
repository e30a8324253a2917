// The route table of the primary as this worker has it: the same matches, and of each policy what a worker needs.

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

/** What a route means to a worker. */
export interface RouteMeaning {
  /** Its number in the table. */
  readonly index: number
  /** How its responses get tickets, if they do. */
  readonly ticket: TicketOptions | undefined
  /** Cookies that the app sets and that it goes by. */
  readonly learns: readonly string[]
  /** The policy's opinion on later requests; undefined: they stay. */
  readonly policy: Policy | undefined
}

export type WorkerRouteTable = RouteTable<RouteMeaning>

/** Builds the table. `seats`: those of this worker's pool; `learned`: the visitors whom this worker knows. Loads the user's config only when a policy is code of its own; throws what that throws. */
export async function buildRoutes(runtime: Runtime, seats: PolicyContext['slots'] & {}, learned?: VisitorSlots): Promise<WorkerRouteTable> {
  const { start, seal } = runtime
  const own = start.routes.some(({ policy }) => policy === 'own') ? await loadOwn(start.ownPolicies) : []
  const routes = start.routes.map((route, index): Route<RouteMeaning> => {
    const { name, match, pool, ticket, learns = [] } = route
    const policy = policyOf(route, start.trustedProxies, own[index])
    const onError = (error: unknown) =>
      runtime.send({ switchyard: 'notice', level: 'warn', message: `the policy of route ${name} failed: ${error}` })
    const bound =
      policy === undefined ? undefined : bindPolicy(policy, { pool, seal, now: Date.now, slots: seats, visitors: learned, onError })
    return { name, match, pool, policy: { index, ticket, learns, policy: bound } }
  })
  return new RouteTable(routes.slice(0, -1), routes[routes.length - 1] as Route<RouteMeaning>)
}

function policyOf({ policy }: WorkerRoute, trustedProxies: readonly string[], own: Policy | undefined): Policy | undefined {
  return policy === undefined || policy === 'own' ? own : policyFromData(policy, { trustedProxies })
}

async function loadOwn(where: OwnPolicies | undefined): Promise<readonly (Policy | undefined)[]> {
  if (where === undefined) return []
  const { module, file, variables } = where
  const { loadPolicies } = (await import(module)) as {
    loadPolicies(file: string, variables: OwnPolicies['variables']): Promise<readonly (Policy | undefined)[]>
  }
  return loadPolicies(file, variables)
}
