// What the control socket is asked about single decisions and heads: the checks of the requests, and the answer of `decisions`, line by line.

import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import * as v from 'valibot'
import type { Decision } from '../decisions/decision.ts'
import { BalancerError } from '../errors.ts'
import type { Insight } from '../insight/insight.ts'
import type { UserRequest } from '../insight/user-request.ts'
import type { ControlLines } from './control-lines.ts'
import type { DecisionQuery } from './control-protocol.ts'
import { integerOf, parseBody, RequestFault, readBody } from './control-requests.ts'

const QUESTIONS = { decisions: 'GET', errors: 'GET', 'upstream-errors': 'GET', cuts: 'GET', explain: 'POST' } as const
export type Question = keyof typeof QUESTIONS

const MAX_DECISIONS = 1_000
const MAX_HEADERS = 200
const MAX_PROTOCOLS = 32
/** A head may be larger than the body of an operation. */
const MAX_REQUEST_BYTES = 128 * 1024

const line = (most: number) => v.pipe(v.string(), v.maxLength(most), v.regex(/^[^\r\n\0]*$/))
const userRequestFields = v.strictObject({
  method: v.optional(v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~\w-]{1,32}$/))),
  target: v.optional(v.pipe(line(MAX_REQUEST_BYTES), v.regex(/^[\x21-\x7e]+$/))),
  hello: v.optional(
    v.strictObject({ serverName: v.optional(line(253)), protocols: v.pipe(v.array(line(255)), v.maxLength(MAX_PROTOCOLS)) }),
  ),
  headers: v.pipe(v.array(v.tuple([line(MAX_REQUEST_BYTES), line(MAX_REQUEST_BYTES)])), v.maxLength(MAX_HEADERS)),
  from: v.pipe(
    v.string(),
    v.check((text) => isIP(text) !== 0),
  ),
  listener: v.optional(line(4_096)),
})
/** Either a request, perhaps inside TLS, or a TLS connection. */
const userRequest: v.GenericSchema<UserRequest> = v.pipe(
  userRequestFields,
  v.check(
    ({ method, target, hello }) => (method === undefined) === (target === undefined) && (method !== undefined || hello !== undefined),
  ),
)

export function isQuestion(name: string): name is Question {
  return Object.hasOwn(QUESTIONS, name)
}

/** Throws a RequestFault if the request has another method than the question needs. */
export function assertMethod(name: Question, method: string | undefined): void {
  if (method !== QUESTIONS[name]) throw new RequestFault(405, `'${name}' needs the method ${QUESTIONS[name]}`)
}

/** Throws a RequestFault. */
export async function readUserRequest(request: IncomingMessage): Promise<UserRequest> {
  const { success, output } = v.safeParse(userRequest, parseBody(await readBody(request, MAX_REQUEST_BYTES)))
  if (!success) throw new RequestFault(400, "the body is not valid for 'explain'")
  return output as UserRequest
}

/** Reads `?count=20&follow=true&route=/cart/*&pool=web&slot=0`. Throws a RequestFault, or ERR_UNKNOWN_SEAT if the config has no such route. */
export function readDecisionQuery(search: URLSearchParams, routeNames: readonly string[]): DecisionQuery {
  const slot = search.get('slot')
  const route = search.get('route') ?? undefined
  if (route !== undefined && !routeNames.includes(route))
    throw new BalancerError(
      'ERR_UNKNOWN_SEAT',
      `there is no route '${route}'; the routes are ${routeNames.map((name) => `'${name}'`).join(', ')}`,
      { source: 'system' },
    )
  return {
    count: Math.min(integerOf(search.get('count') ?? '20', 'count'), MAX_DECISIONS),
    follow: search.get('follow') === 'true',
    route,
    pool: search.get('pool') ?? undefined,
    slot: slot === null ? undefined : integerOf(slot, 'slot'),
    proxy: search.get('proxy') === 'true',
  }
}

/** Writes the decisions of the query. Returns what ends the following; undefined: the answer is over. */
export function sendDecisions(insight: Insight, query: DecisionQuery, lines: ControlLines): (() => void) | undefined {
  const { count, follow, route, pool, slot, proxy = false } = query
  const matches = (decision: Decision): boolean =>
    (route === undefined || decision.route === route) &&
    (pool === undefined || decision.pool === pool) &&
    (slot === undefined || (decision.worker?.slot === slot && (decision.proxy ?? false) === proxy))
  if (!insight.isRecording) lines.writeKept({ began: true })
  for (const decision of insight.lastDecisions(count, matches)) lines.writeKept({ decision })
  if (follow !== true) return void lines.end()
  return insight.followDecisions((line) => {
    if ('lost' in line || matches(line.decision)) lines.write(line)
  })
}
