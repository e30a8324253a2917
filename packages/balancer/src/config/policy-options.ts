// `policy`: a policy made by code, a plain function, or its form in JSON.

import {
  type DataScope,
  fromFunction,
  leastBusy,
  type Policy,
  type PolicyData,
  type PolicyFunction,
  policyFromData,
} from '@switchyard/routing'
import * as v from 'valibot'
import type { Loose } from './faults.ts'
import { cookieName, countFromZero, expected, flag, shape, text, trustedProxies, whole } from './schema.ts'

/** A policy, a plain function `(candidates, head) => candidate`, or the form of a policy in JSON. */
export type PolicyConfig = Policy | PolicyFunction | PolicyData

const policyPhrase = "a policy, a function, 'least-busy', 'least-in-flight', 'round-robin', { least-busy: … } or { sticky: … }"
const policyName = v.picklist(['least-busy', 'least-in-flight', 'round-robin'], policyPhrase)
const keyPhrase = "'ticket', 'client-address', or one of { ticket }, { learn }, { cookie }, { header }, { query }, { path-segment }"
const ticketOptions = shape({
  cookie: v.optional(text),
  query: v.optional(text),
  maxAgeMs: whole(1, Number.MAX_SAFE_INTEGER, 'a positive number of milliseconds'),
  sameSite: v.optional(v.picklist(['Lax', 'Strict', 'None'], "'Lax', 'Strict' or 'None'")),
  secure: v.optional(v.union([v.boolean(), v.literal('auto')], "true, false or 'auto'")),
  path: v.optional(text),
})
const keyOptions = v.pipe(
  shape({
    ticket: v.optional(ticketOptions),
    learn: v.optional(cookieName),
    cookie: v.optional(text),
    header: v.optional(text),
    query: v.optional(text),
    'path-segment': countFromZero,
    'client-address': v.optional(shape({ trustedProxies, header: v.optional(text) })),
  }),
  v.check((input) => Object.keys(input).length === 1, keyPhrase),
)
const key = v.lazy((input) =>
  typeof input === 'object' && input !== null ? keyOptions : v.picklist(['ticket', 'client-address'], keyPhrase),
)
const namedPolicy: v.GenericSchema = v.lazy((input) => {
  if (typeof input !== 'object' || input === null) return policyName
  return 'least-busy' in input ? leastBusyPolicy : stickyPolicy
})
const leastBusyPolicy = shape({
  'least-busy': v.pipe(
    shape({
      latency: flag,
      hotAt: v.optional(expected(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 'a number from 0 to 1')),
    }),
    allowed('hotAt', ({ latency }) => latency === true, 'needs latency: true beside it'),
  ),
})
const stickyPolicy = shape({
  sticky: v.pipe(
    shape({
      by: key,
      seed: v.optional(text),
      otherwise: v.optional(namedPolicy),
      breakAt: v.optional(expected(v.pipe(v.number(), v.finite(), v.minValue(1)), 'a number from 1')),
      breakFloor: v.optional(expected(v.pipe(v.number(), v.finite(), v.minValue(0)), 'a number from 0')),
    }),
    allowed('seed', ({ by }) => isHashed(by), 'remove it: only hashed keys use a seed, and a ticket or a learned cookie is not hashed'),
  ),
})

/** Reports an option that has no effect beside the others. */
function allowed<T extends object>(option: string & keyof T, isAllowed: (options: Loose) => boolean, message: string) {
  return v.rawCheck<T>(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const input = dataset.value as Record<string, unknown>
    if (input[option] === undefined || isAllowed(input)) return
    addIssue({ message, path: [{ type: 'object', origin: 'value', input, key: option, value: input[option] }] })
  })
}

function isHashed(key: unknown): boolean {
  return key !== 'ticket' && !(typeof key === 'object' && key !== null && ('ticket' in key || 'learn' in key))
}

/** A policy made by code. Only its `pick` can be checked. */
const codedPolicy = v.custom(
  (input) =>
    typeof input === 'function' || (typeof input === 'object' && input !== null && 'pick' in input && typeof input.pick === 'function'),
  policyPhrase,
)
export const policy = v.optional(
  v.lazy((input) =>
    typeof input === 'function' || (typeof input === 'object' && input !== null && 'pick' in input) ? codedPolicy : namedPolicy,
  ),
)

/** The policy of a checked config, default `leastBusy()`. Each call with data makes a new one. */
export function policyOf(config: PolicyConfig | undefined, scope: DataScope): Policy {
  if (config === undefined) return leastBusy()
  if (typeof config === 'function') return fromFunction(config)
  return typeof config === 'object' && 'pick' in config ? config : policyFromData(config, scope)
}
