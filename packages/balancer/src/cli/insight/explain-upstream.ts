// `balancer explain` for a pool of upstream servers: which policy chooses among which servers, and what the server would get of the request.

import { bindPolicy, type Candidate, idleLoad, type Policy, policyFromData, type RequestHead, TicketSeal } from '@switchyard/routing'
import type { UpstreamAddress } from '@switchyard/worker-runtime'
import { previewRequest, type RequestPreview } from '@switchyard/worker-runtime/upstream-preview'
import type { UserRequest } from '../../insight/user-request.ts'
import type { PoolSettings, Settings } from '../../settings.ts'
import { messageOf } from '../../thrown-error.ts'
import { nameToLookUp, type UpstreamSettings } from '../../upstream-settings.ts'
import { counted, table } from '../format.ts'
import { printable } from '../printable.ts'

export interface UpstreamExplanationOptions {
  readonly request: UserRequest
  readonly head: RequestHead
  readonly settings: Settings
  readonly pool: PoolSettings
  readonly upstream: UpstreamSettings
  /** Name of the route that matches. */
  readonly route: string
}

interface Choice {
  readonly slot: number
  readonly why: string
}

/** Code of the user runs in the proxy workers alone. */
const OWN: Choice = { slot: 0, why: 'its own code decides, in the proxy workers' }

/** The lines below the routes. */
export function explainUpstream({ request, head, settings, pool, upstream, route }: UpstreamExplanationOptions): string[] {
  const { name, workers } = pool
  const candidates = upstream.servers.map(
    (_server, slot): Candidate => ({ slot, generation: 0, weight: upstream.weights[slot] ?? 1, load: idleLoad }),
  )
  const policy = policyOf(upstream, settings, route)
  const choice = policy === undefined ? OWN : choiceOf(policy, name, candidates, head, settings)
  return [
    table([
      ['route', route],
      ['pool', `${name} (${counted(candidates.length, 'upstream server')} behind ${counted(workers, 'proxy worker')}, all assumed idle)`],
      ['policy', policy?.name ?? 'your own'],
      ['choice', choice.why],
      ['later', `stays with the proxy worker of its connection, which chooses a server for each request`],
    ]),
    '',
    table([
      ['SERVER', 'URL', 'WEIGHT'],
      ...upstream.servers.map((server, slot) => [`${name}/${slot}`, printable(server.name), String(candidates[slot]?.weight)]),
    ]),
    ...notes(upstream, policy),
    ...previewText(request, head, settings, name, upstream, upstream.servers[choice.slot]),
  ]
}

/** undefined: code of the user. */
function policyOf({ policies }: UpstreamSettings, { routes, trustedProxies }: Settings, route: string): Policy | undefined {
  const index = routes.findIndex(({ name }) => name === route)
  const data = policies[index === -1 ? routes.length : index] ?? 'least-busy'
  return data === 'own' ? undefined : policyFromData(data, { trustedProxies })
}

function choiceOf(policy: Policy, pool: string, candidates: readonly Candidate[], head: RequestHead, settings: Settings): Choice {
  let fault: unknown
  const slots = candidates.map(({ slot, weight }) => ({ slot, weight }))
  const bound = bindPolicy(policy, {
    ...{ pool, seal: new TicketSeal(settings.ticketKeys), now: Date.now, slots: () => slots, homes: () => slots },
    onError: (error) => (fault = error),
  })
  const why = bound.explain?.(candidates, head)
  const slot = bound.pick(candidates, head)?.slot ?? 0
  return { slot, why: fault === undefined ? (why ?? `slot ${slot}`) : `the policy failed: ${messageOf(fault)}` }
}

function notes({ servers }: UpstreamSettings, policy: Policy | undefined): string[] {
  const found: string[] = []
  if (servers.some((server) => nameToLookUp(server) !== undefined))
    found.push('Names are not looked up here. Each address of a name is a server with a slot of its own.')
  if (policy?.learns !== undefined && policy.learns.length > 0) found.push('Only a running balancer knows which server set which cookie.')
  return found.length === 0 ? [] : ['', ...found]
}

/** The request as a server gets it. Of a TLS connection alone nothing is known. */
function previewText(
  request: UserRequest,
  head: RequestHead,
  { trustedProxies }: Settings,
  pool: string,
  upstream: UpstreamSettings,
  server: UpstreamAddress | undefined,
): string[] {
  const { method, target, from, hello } = request
  if (method === undefined || target === undefined || server === undefined) return []
  const named = request.headers.some(([name]) => name.toLowerCase() === 'host')
  const headers = named ? request.headers : [['Host', head.host ?? 'localhost'] as const, ...request.headers]
  const preview = previewRequest({ method, target, headers, from, isTls: hello !== undefined, pool, upstream, server, trustedProxies })
  if ('status' in preview) return ['', `The proxy worker refuses the request: it is answered ${preview.status} (${preview.reason}).`]
  return ['', 'The server gets', ...requestLines(method, preview), ...removedLines(preview)]
}

function requestLines(method: string, { target, host, fields }: RequestPreview): string[] {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields.map(([name, value]) => `${name}: ${value}`)]
  return lines.map((line) => `  ${printable(line)}`)
}

function removedLines({ removed }: RequestPreview): string[] {
  return removed.length === 0 ? [] : [`Removed or rewritten: ${removed.map((name) => printable(name)).join(', ')}`]
}
