// `balancer explain --live`: asks the running balancer where a request would go now, with the load of this moment.

import type { ExplainedServers, LiveExplanation } from '../../insight/live-explanation.ts'
import { requestText, type UserRequest } from '../../insight/user-request.ts'
import { slotName } from '../../worker-name.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import { counted, duration, spreadLine, table } from '../format.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'

export interface ExplainLiveOptions extends FindBalancerOptions {
  json?: boolean | undefined
}

/** What a connection waits for, in words. */
const WAITS: Readonly<Record<string, string>> = {
  loop: 'the first worker whose event loop turns idle',
  policy: 'the policy, which picks none of the candidates now',
  home: 'the one worker that has its session or its listener',
  recalled: 'the first worker whose event loop turns idle',
}

/** Resolves with the exit code. */
export async function explainLive(request: UserRequest, options: ExplainLiveOptions, io: CliIo): Promise<number> {
  const explanation = await (await findBalancer(options, io)).explain(request)
  if (options.json === true) io.stdout.write(`${printableJson(explanation, 2)}\n`)
  else io.stdout.write(`${requestText(request)}, now\n\n${explanationText(explanation, request.method !== undefined)}\n`)
  return 0
}

/** Several lines without the last line end. `hasRequest`: it is about a request, and not about a TLS connection alone. */
export function explanationText(explanation: LiveExplanation, hasRequest = true): string {
  const { refused, route, tried, pool, proxy, policy, key, why, workers, queued, staysWith, spread, upstream } = explanation
  if (refused !== null) return `The primary refuses this head: ${refused}.`
  const candidates = workers.filter(({ isCandidate }) => isCandidate)
  return [
    table([['', 'ROUTE', 'WHY'], ...tried.map((one) => [one.route === route ? 'yes' : 'no', one.route, one.why])]),
    '',
    table([
      ['route', route],
      ['pool', `${pool} (${counted(candidates.length, 'candidate')}, ${counted(queued, 'connection')} waiting)`],
      ['policy', upstream === undefined ? policy : `${policy} among the proxy workers, ${upstream.policy} among the servers`],
      ['key', key === null ? 'none' : `${key.kind} #${key.hash}`],
      ['choice', choiceText(explanation)],
      ['why', why],
      ...(hasRequest ? [['later', laterText(explanation, staysWith.length === candidates.length)]] : []),
      ...(hasRequest && spread !== null ? [['spread', spreadLine(spread)]] : []),
    ]),
    '',
    table([
      ['WORKER', 'STATE', 'IN FLIGHT', 'CONNECTIONS', 'LOOP', 'MEAN WAIT', 'LATENCY'],
      ...workers.map((worker) => [
        slotName({ pool, slot: worker.slot, proxy }),
        worker.isCandidate || worker.state !== 'ready' ? worker.state : `${worker.state}, gets nothing new`,
        String(worker.inFlight),
        String(worker.connections),
        worker.isFree ? 'idle' : `busy for ${milliseconds(worker.busyMs)}`,
        milliseconds(worker.turnWaitMs),
        milliseconds(worker.latencyMs),
      ]),
    ]),
    ...(upstream === undefined ? [] : ['', serversText(pool, upstream)]),
  ].join('\n')
}

/** The servers among which the proxy worker chooses. */
function serversText(pool: string, { servers }: ExplainedServers): string {
  return table([
    ['SERVER', 'UPSTREAM', 'STATE', 'WEIGHT', 'IN FLIGHT', 'LATENCY'],
    ...servers.map(({ slot, name, address, state, weight, inFlight, latencyMs }) => [
      slotName({ pool, slot }),
      `${printable(name ?? '-')}${address === null ? '' : ` (${printable(address)})`}`,
      ...[state, String(weight), String(inFlight), milliseconds(latencyMs)],
    ]),
  ])
}

function choiceText({ pool, proxy, worker, by, waitsFor }: LiveExplanation): string {
  if (worker === null) return `none: it waits for ${WAITS[waitsFor ?? ''] ?? waitsFor}`
  return `${slotName({ pool, slot: worker.slot, proxy })}${by === 'draining' ? ', which drains: the ticket of the request names it' : ''}`
}

function laterText({ pool, proxy, staysWith }: LiveExplanation, isEvery: boolean): string {
  const where = isEvery
    ? `any worker of ${pool}`
    : staysWith.length === 0
      ? 'no worker'
      : staysWith.map((slot) => slotName({ pool, slot, proxy })).join(', ')
  return `as a later request on its connection it stays with ${where}`
}

function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : duration(ms)
}
