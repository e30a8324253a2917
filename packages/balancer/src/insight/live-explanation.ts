// Where a request would go at this moment: the routes in force, and the policy with the load of this moment. Nothing is placed, and no policy is changed.

import { readClock } from '@switchyard/handoff'
import { bindPolicy, type Candidate, type Policy, policyFromData, previewOf, type RequestHead, TicketSeal } from '@switchyard/routing'
import type { ActiveConfig } from '../dispatch/active-config.ts'
import type { Choice, Pool, PoolPolicy } from '../dispatch/pool.ts'
import { headBoundsOf } from '../head-bytes.ts'
import { type RouteSpread, routeSpread } from '../route-spread.ts'
import type { ChoiceWay, UpstreamServerStatus, WorkerState } from '../status.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { InsightOptions } from './insight.ts'
import { headOf, type UserRequest } from './user-request.ts'

export interface ExplainedWorker {
  slot: number
  generation: number
  state: WorkerState
  /** May it have new connections? */
  isCandidate: boolean
  inFlight: number
  connections: number
  isFree: boolean
  busyMs: number
  turnWaitMs: number
  latencyMs: number
}

/** The primary does not choose the server, but it knows what the proxy workers report. */
export interface ExplainedServers {
  policy: string
  servers: UpstreamServerStatus[]
}

export interface LiveExplanation {
  /** Why the primary would refuse the head; null: it would not. Then all other fields are empty. */
  refused: string | null
  route: string
  /** The routes in order, up to the one that matches. */
  tried: { route: string; why: string }[]
  pool: string
  /** The workers are proxies for upstream servers. Left out: they are not. */
  proxy?: boolean | undefined
  policy: string
  /** Hashed; null: the request has no key. */
  key: { kind: string; hash: string } | null
  /** What the policy says of its choice. */
  why: string
  worker: { slot: number; generation: number } | null
  by: ChoiceWay | null
  /** null: it would not wait. */
  waitsFor: string | null
  /** Connections in the queue of the pool. */
  queued: number
  workers: ExplainedWorker[]
  /** Among which upstream servers the worker chooses. Left out: it runs an app. */
  upstream?: ExplainedServers | undefined
  /** Are streams of HTTP/2 spread over the pool, and why? null: the listener has no HTTP/2. */
  spread: RouteSpread | null
  /** Slots whose worker would keep the request if it were a later one on its connection. */
  staysWith: number[]
}

const NOT_CHOSEN = { worker: null, by: null } as const

export function explainLive(request: UserRequest, options: InsightOptions): LiveExplanation {
  const { config, records } = options
  const { settings, routes } = config.current
  const head = headOf(request, headBoundsOf(settings.limits).maxHeadBytes)
  head.listener ??= settings.listen?.[0]
  if (head.outcome !== 'complete') return refusedBy(`the head is ${head.outcome}`)
  if (head.hasManyHosts || routes.refuses(head))
    return refusedBy('it could be read as a request for more than one host or pool, so it is answered with 400')
  const { route, tried } = routes.explain(head)
  const { pool, policy } = route.policy
  readClock()
  const key = policy.key?.(head)
  return {
    refused: null,
    route: route.name,
    tried: tried.map((one) => ({ route: one.route.name, why: one.why })),
    pool: pool.settings.name,
    ...(pool.settings.upstream !== undefined && { proxy: true }),
    policy: policy.name,
    key: key === undefined ? null : { kind: key.kind, hash: records.hasher.of(key.value) },
    why: policy.explain?.(pool.candidates, head) ?? 'its own code decides',
    ...outcomeOf(pool.choose(previewing(policy), head)),
    queued: pool.queue.length,
    workers: workersOf(pool),
    ...(pool.settings.upstream !== undefined && { upstream: serversOf(pool, routes.routes.indexOf(route), options) }),
    spread: spreadOf(config, routes.routes.indexOf(route), route.pool, head) ?? null,
    staysWith: staysWith(pool, originalPolicy(config, route.name), head, options),
  }
}

function refusedBy(refused: string): LiveExplanation {
  const nothing = {
    route: '',
    tried: [],
    pool: '',
    policy: '',
    key: null,
    why: '',
    waitsFor: null,
    queued: 0,
    workers: [],
    spread: null,
    staysWith: [],
  }
  return { refused, ...nothing, ...NOT_CHOSEN }
}

/** The policy without a change of its state. */
function previewing(policy: Policy): PoolPolicy {
  return {
    ...(policy.waitsForLoop && { waitsForLoop: true }),
    pick: (candidates, head) => previewOf(policy, candidates, head),
    home: (head) => policy.home?.(head),
  }
}

function outcomeOf(choice: Choice): Pick<LiveExplanation, 'worker' | 'by' | 'waitsFor'> {
  if (choice.kind === 'worker') {
    const { slot, generation } = choice.worker
    return { worker: { slot, generation }, by: choice.by, waitsFor: null }
  }
  return {
    ...NOT_CHOSEN,
    waitsFor: choice.kind === 'wait' ? choice.waitFor : 'nothing: the pool has no worker, so it is answered with 503',
  }
}

function workersOf(pool: Pool): ExplainedWorker[] {
  return [...pool.workers]
    .sort((one, other) => one.slot - other.slot || one.generation - other.generation)
    .map((worker) => {
      const { slot, generation, state, load } = worker
      const { inFlight, connections, isFree, busyMs, turnWaitMs, latencyMs } = load
      const isCandidate = pool.candidates.includes(worker)
      return { slot, generation, state, isCandidate, inFlight, connections, isFree, busyMs, turnWaitMs, latencyMs }
    })
}

/** `route`: its number; -1: no route matches. */
function serversOf({ settings: { name, upstream } }: Pool, route: number, options: InsightOptions): ExplainedServers {
  const data = upstream?.policies.at(route) ?? 'least-busy'
  const { trustedProxies } = options.config.current.settings
  return {
    policy: data === 'own' ? 'your own' : policyFromData(data, { trustedProxies }).name,
    servers: options.upstreams().statusOf(name) ?? [],
  }
}

function originalPolicy(config: ActiveConfig, route: string): Policy {
  const { routes, defaultPolicy } = config.current.settings
  return routes.find(({ name }) => name === route)?.policy ?? defaultPolicy
}

/** `index`: of the route; -1: of everything else. */
function spreadOf(
  { current: { settings } }: ActiveConfig,
  index: number,
  pool: string,
  { listener }: RequestHead,
): RouteSpread | undefined {
  return routeSpread(settings.routes[index] ?? { pool, policy: settings.defaultPolicy }, settings, listener)
}

/** As a worker decides it, which knows the occupied slots. */
function staysWith(
  pool: Pool,
  original: Policy,
  head: RequestHead,
  { config, visitors }: Pick<InsightOptions, 'config' | 'visitors'>,
): number[] {
  const candidates: readonly PoolWorker[] = pool.candidates
  const slots = (): readonly Candidate[] => candidates
  const seal = new TicketSeal(config.current.settings.ticketKeys)
  const bound = bindPolicy(original, { pool: pool.settings.name, seal, now: Date.now, visitors, slots })
  return candidates.filter((worker) => bound.stays?.(worker, head) ?? true).map(({ slot }) => slot)
}
