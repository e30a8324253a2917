// Sticky: what belongs together goes to one worker, by a ticket that the client carries, by a cookie of the app's own, or by the hash of a key. It contains
// another policy for heads that belong to nobody, and for workers that have too much (see bounded-load.ts).

import { cookie, type KeySource, keySource, type PolicyKeyFunction } from '../../keys.ts'
import { bindPolicy, fromFunction, type Policy, type PolicyContext, type PolicyFunction } from '../../policy.ts'
import type { LoadBound } from '../bounded-load.ts'
import { leastBusy } from '../least-busy.ts'
import type { StickyData } from '../policy-data.ts'
import type { ByHash, ByLearning, ByTicket, StickyBy } from './sticky-by.ts'
import { stickyByHash } from './sticky-hash.ts'
import { stickyByTicket } from './sticky-ticket.ts'
import { stickyByLearning } from './sticky-visitor.ts'
import type { TicketOptions } from './ticket-options.ts'

/** What a cookie can be called: a token (RFC 6265 §4.1.1). */
export const cookieNameForm = /^[!#$%&'*+.^_`|~\w-]+$/

export interface StickyOptions {
  readonly by: StickyBy
  /** Chooses for heads that are bound to nobody, and when their worker has too much. Default `leastBusy()`. */
  readonly otherwise?: Policy | PolicyFunction
  /** A worker has too much at this many times the mean of requests in flight. Default 1.5. */
  readonly breakAt?: number
  /** But not with fewer requests than this. Default 8. */
  readonly breakFloor?: number
}

/** Sticky by the balancer's own signed ticket: a cookie that the worker runtime sets, or a session id that has one inside. */
export function ticket(options: TicketOptions = {}): ByTicket {
  return { kind: 'ticket', options }
}

/** Sticky by the hash of a key. `seed` changes which slot a key maps to; all processes of a pool need the same. */
export function hash(source: KeySource | PolicyKeyFunction, options: { readonly seed?: string } = {}): ByHash {
  const whole = typeof source === 'function' ? keySource(source.name || 'own key', source) : source
  return { kind: 'hash', source: whole, seed: options.seed ?? '' }
}

/**
 * Sticky by a cookie that the app itself sets, such as `learn('connect.sid')`: the worker whose response gave a visitor the cookie has the visitor from then on.
 * Throws TypeError when a cookie can't be called so.
 */
export function learn(name: string): ByLearning {
  if (!cookieNameForm.test(name)) throw new TypeError(`learn: expected the name of a cookie, got '${name}'`)
  return { kind: 'learn', cookie: name, source: cookie(name) }
}

/**
 * Makes a sticky policy. By ticket it must be bound (see `Policy.bind`) to know anybody; until then `otherwise` chooses.
 * Throws RangeError unless `breakAt` is at least 1 and `breakFloor` at least 0.
 */
export function sticky(options: StickyOptions): Policy {
  const { by, breakAt = 1.5, breakFloor = 8 } = options
  if (!(breakAt >= 1)) throw new RangeError(`breakAt: expected at least 1, got ${breakAt}`)
  if (!(breakFloor >= 0)) throw new RangeError(`breakFloor: expected at least 0, got ${breakFloor}`)
  return assemble(by, options.otherwise ?? leastBusy(), { breakAt, breakFloor }, undefined)
}

function assemble(by: StickyBy, otherwise: Policy | PolicyFunction, bound: LoadBound, context: PolicyContext | undefined): Policy {
  const inner =
    context !== undefined ? bindPolicy(otherwise, context) : typeof otherwise === 'function' ? fromFunction(otherwise) : otherwise
  const policy = policyBy(by, inner, bound, context)
  const data = dataOf(by, inner, bound)
  const waits = inner.waitsForLoop === true && { waitsForLoop: true as const }
  return { ...policy, ...(data !== undefined && { data }), ...waits, bind: (next) => assemble(by, otherwise, bound, next) }
}

function policyBy(by: StickyBy, inner: Policy, bound: LoadBound, context: PolicyContext | undefined): Policy {
  switch (by.kind) {
    case 'hash':
      return stickyByHash(by, inner, bound, context)
    case 'learn':
      return stickyByLearning(by, inner, bound, context)
    case 'ticket':
      return stickyByTicket(by, inner, bound, context)
  }
}

/** The policy as data, unless a part of it is the user's own code. */
function dataOf(by: StickyBy, otherwise: Policy, { breakAt, breakFloor }: LoadBound): StickyData | undefined {
  const told = by.kind === 'ticket' ? { ticket: by.options } : by.kind === 'learn' ? { learn: by.cookie } : by.source.data
  if (told === undefined || otherwise.data === undefined) return undefined
  const seed = by.kind === 'hash' && by.seed !== '' && { seed: by.seed }
  return { sticky: { by: told, ...seed, otherwise: otherwise.data, breakAt: finite(breakAt), breakFloor: finite(breakFloor) } }
}

/** JSON has no infinity; no load reaches this either. */
function finite(bound: number): number {
  return Math.min(bound, Number.MAX_VALUE)
}
