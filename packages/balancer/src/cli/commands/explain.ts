// `balancer explain`: runs a request through the route table and the policy as the primary would, and prints every step. It needs no running
// balancer and assumes that every worker is idle.

import {
  bindPolicy,
  type Candidate,
  idleLoad,
  type ListenerAddress,
  type Policy,
  type RequestHead,
  type Route,
  TicketSeal,
} from '@switchyard/routing'
import { parseListen } from '../../config/listen-options.ts'
import { SECRET_VARIABLE } from '../../config/secret.ts'
import { routeTable } from '../../dispatch/route-table.ts'
import { headBoundsFor } from '../../head-bytes.ts'
import { headOf, requestText, type UserHello, type UserRequest } from '../../insight/user-request.ts'
import { routeSpread } from '../../route-spread.ts'
import type { PoolSettings, Settings } from '../../settings.ts'
import { messageOf } from '../../thrown-error.ts'
import { readSettings } from '../command-settings.ts'
import { counted, spreadLine, table } from '../format.ts'
import type { CliIo } from '../io.ts'

export interface ExplainOptions {
  /** Left out, with `target`: the TLS connection alone. */
  method?: string | undefined
  target?: string | undefined
  /** The server name of a TLS connection. */
  sni?: string | undefined
  /** The protocols that a TLS client offers. */
  alpn?: readonly string[] | undefined
  header?: readonly (readonly [name: string, value: string])[] | undefined
  from: string
  /** The listener over which the connection comes. Default: the first of the config. */
  listener?: string | undefined
  config?: string | undefined
  environment?: string | undefined
  /** Ask the running balancer. */
  live?: boolean | undefined
  control?: string | undefined
  json?: boolean | undefined
}

/** Prints the routes that were tried, the route that matches, and the worker that its policy chooses. */
export async function explain(options: ExplainOptions, io: CliIo): Promise<number> {
  const { method, target, header: headers = [], from, listener, sni, alpn } = options
  const hello: UserHello | undefined = sni === undefined && alpn === undefined ? undefined : { serverName: sni, protocols: alpn ?? [] }
  const request = { method, target, headers, hello, from }
  if (options.live === true) {
    const { explainLive } = await import('../insight/explain-live.ts')
    return explainLive({ ...request, ...(listener !== undefined && { listener }) }, options, io)
  }
  const { settings, knowsSecret } = await readSettings(options, io)
  const head = headOf(request, settings.limits.maxHeadBytes ?? headBoundsFor().maxHeadBytes)
  head.listener = options.listener === undefined ? settings.listen?.[0] : listenerNamed(options.listener, io.cwd)
  const lines =
    head.outcome === 'complete'
      ? await explainHead(request, head, settings, knowsSecret)
      : [`The primary refuses this head: ${head.outcome}.`]
  io.stdout.write(`${[requestText(request), '', ...lines].join('\n')}\n`)
  return 0
}

function listenerNamed(text: string, cwd: string): ListenerAddress | undefined {
  const parsed = parseListen(text, cwd)
  return 'fault' in parsed ? undefined : parsed.value
}

async function explainHead(request: UserRequest, head: RequestHead, settings: Settings, knowsSecret: boolean): Promise<string[]> {
  const routes = routeTable(settings, (policy) => policy)
  if (head.hasManyHosts || routes.refuses(head))
    return ['The primary refuses this head (400): it could be read as a request for more than one host or pool.']
  const { route, tried } = routes.explain(head)
  const pool = settings.pools.find(({ name }) => name === route.pool) as PoolSettings
  const { workers, weights, upstream } = pool
  const routesTable = table([['', 'ROUTE', 'WHY'], ...tried.map((one) => [one.route === route ? 'yes' : 'no', one.route.name, one.why])])
  if (upstream !== undefined) {
    const { explainUpstream } = await import('../insight/explain-upstream.ts')
    return [routesTable, '', ...explainUpstream({ request, head, settings, pool, upstream, route: route.name })]
  }
  const { spread } = settings.routes[routes.routes.indexOf(route)] ?? {}
  const spreading = head.protocol === 'tls' ? undefined : routeSpread({ ...route, spread }, settings, head.listener)
  return [
    routesTable,
    '',
    table([
      ['route', route.name],
      ['pool', `${route.pool} (${counted(workers, 'worker')}, all assumed idle)`],
      ['policy', route.policy.name],
      ...choiceOf(
        route,
        Array.from({ length: workers }, (_, slot) => idle(slot, weights[slot])),
        head,
        settings,
      ),
      ...(spreading === undefined ? [] : [['spread', spreadLine(spreading)]]),
    ]),
    ...notes(head, route.policy, knowsSecret),
  ]
}

/** The worker that the policy chooses, and what happens to the request if it is a later one on its connection. */
function choiceOf({ policy, pool }: Route, candidates: readonly Candidate[], head: RequestHead, settings: Settings): string[][] {
  let fault: unknown
  const slots = candidates.map(({ slot, weight }) => ({ slot, weight }))
  const bound = bindPolicy(policy, {
    pool,
    seal: new TicketSeal(settings.ticketKeys),
    now: Date.now,
    slots: () => slots,
    onError: (error) => (fault = error),
  })
  const choice = bound.explain?.(candidates, head) ?? picked(bound, candidates, head)
  const failed = messageOf(fault)
  return [
    ['choice', fault === undefined ? choice : `the policy failed: ${failed}`],
    ...(head.protocol === 'tls' ? [] : [['later', later(bound, candidates, head, pool)]]),
  ]
}

function picked(policy: Policy, candidates: readonly Candidate[], head: RequestHead): string {
  const chosen = policy.pick(candidates, head)
  return chosen === undefined ? 'no worker: the connection would wait in the queue' : `slot ${chosen.slot}`
}

/** What a worker does with the request if it is not the first on its connection. */
function later(policy: Policy, candidates: readonly Candidate[], head: RequestHead, pool: string): string {
  const staying = candidates.filter((worker) => policy.stays?.(worker, head) ?? true).map(({ slot }) => slot)
  const every = staying.length === candidates.length
  const where = every ? `any worker of ${pool}` : staying.length === 0 ? 'no worker' : staying.map((slot) => `${pool}/${slot}`).join(', ')
  return `stays with ${where}; any other worker gives the connection back to the primary, or forwards the request if the connection can't move`
}

function idle(slot: number, weight = 1): Candidate {
  return {
    slot,
    generation: 0,
    weight,
    load: idleLoad,
  }
}

function notes(head: RequestHead, policy: Policy, knowsSecret: boolean): string[] {
  const found: string[] = []
  if (head.protocol === 'tls')
    found.push("The workers route the requests inside TLS: 'balancer explain GET /path --sni NAME' explains one of them.")
  if (head.ambiguous) found.push('This head is ambiguous: policies take no key from it.')
  if (policy.ticket !== undefined && !knowsSecret)
    found.push(`Tickets can't be read here: without 'secret' or ${SECRET_VARIABLE} each start signs with a new secret.`)
  if (policy.learns !== undefined && policy.learns.length > 0)
    found.push('Only a running balancer knows which worker set which cookie; here every cookie value is hashed.')
  return found.length === 0 ? [] : ['', ...found]
}
