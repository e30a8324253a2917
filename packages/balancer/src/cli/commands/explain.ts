// `balancer explain`: takes a request through the route table and the policy as the primary would, and tells every step. Nothing runs; every worker is taken to be idle.

import { bindPolicy, type Candidate, idleLoad, type Policy, RequestHead, type Route, TicketSeal } from '@switchyard/routing'
import { SECRET_VARIABLE } from '../../config/secret.ts'
import { routeTable } from '../../dispatch/route-table.ts'
import { headBoundsFor } from '../../head-bytes.ts'
import type { PoolSettings, Settings } from '../../settings.ts'
import { readSettings } from '../command-settings.ts'
import type { CliIo } from '../io.ts'
import { table } from '../table.ts'

export interface ExplainOptions {
  method: string
  target: string
  header?: readonly (readonly [name: string, value: string])[] | undefined
  from: string
  config?: string | undefined
  environment?: string | undefined
}

/** Prints which routes were tried, which one was taken, and whom its policy would choose. */
export async function explain(options: ExplainOptions, io: CliIo): Promise<number> {
  const { settings, knowsSecret } = await readSettings(options, io)
  const head = headOf(options, settings.limits.maxHeadBytes ?? headBoundsFor().maxHeadBytes)
  const lines = head.outcome === 'complete' ? explainHead(head, settings, knowsSecret) : [`The primary refuses this head: ${head.outcome}.`]
  io.stdout.write(`${[`${options.method} ${options.target} from ${options.from}`, '', ...lines].join('\n')}\n`)
  return 0
}

/** The head as bytes, read as the primary reads it: what smuggles is seen here too. */
function headOf({ method, target, header = [], from }: ExplainOptions, maxBytes: number): RequestHead {
  const named = header.some(([name]) => name.toLowerCase() === 'host') ? header : [['Host', 'localhost'] as const, ...header]
  const text = [`${method} ${target} HTTP/1.1`, ...named.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
  const bytes = Buffer.from(text, 'latin1')
  const head = RequestHead.read(bytes, bytes.length, maxBytes)
  head.remoteAddress = from
  return head
}

function explainHead(head: RequestHead, settings: Settings, knowsSecret: boolean): string[] {
  const routes = routeTable(settings, (policy) => policy)
  if (head.hasManyHosts || routes.refuses(head))
    return ['The primary refuses this head (400): it could be taken for a request of more than one host or pool.']
  const { route, tried } = routes.explain(head)
  const { workers, weights } = settings.pools.find(({ name }) => name === route.pool) as PoolSettings
  return [
    table([['', 'ROUTE', 'WHY'], ...tried.map((one) => [one.route === route ? 'yes' : 'no', one.route.name, one.why])]),
    '',
    table([
      ['route', route.name],
      ['pool', `${route.pool} (${workers} ${workers === 1 ? 'worker' : 'workers'}, all taken to be idle)`],
      ['policy', route.policy.name],
      ...choiceOf(
        route,
        Array.from({ length: workers }, (_, slot) => idle(slot, weights[slot])),
        head,
        settings,
      ),
    ]),
    ...notes(head, route.policy, knowsSecret),
  ]
}

/** Whom the policy chooses, and what becomes of such a request on a connection that some worker holds already. */
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
  const failed = fault instanceof Error ? fault.message : String(fault)
  return [
    ['choice', fault === undefined ? choice : `the policy failed: ${failed}`],
    ['later', later(bound, candidates, head, pool)],
  ]
}

function picked(policy: Policy, candidates: readonly Candidate[], head: RequestHead): string {
  const chosen = policy.pick(candidates, head)
  return chosen === undefined ? 'nobody: the connection would wait' : `slot ${chosen.slot}`
}

/** What a worker does with this request when it is not the first on its connection. */
function later(policy: Policy, candidates: readonly Candidate[], head: RequestHead, pool: string): string {
  const homes = candidates.filter((worker) => policy.stays?.(worker, head) ?? true).map(({ slot }) => slot)
  const every = homes.length === candidates.length
  const where = every ? `any worker of ${pool}` : homes.length === 0 ? 'nobody' : homes.map((slot) => `${pool}/${slot}`).join(', ')
  return `stays with ${where}; elsewhere its connection is given back to the primary, or if that can't move the request is forwarded`
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
  if (head.ambiguous) found.push('This head could be read in more than one way: it is never a key.')
  if (policy.ticket !== undefined && !knowsSecret)
    found.push(`Tickets can't be read here: without 'secret' or ${SECRET_VARIABLE} each start signs with a secret of its own.`)
  if (policy.learns !== undefined && policy.learns.length > 0)
    found.push('Who got which cookie from which worker is known to a balancer that runs; here every value goes by its hash.')
  return found.length === 0 ? [] : ['', ...found]
}
