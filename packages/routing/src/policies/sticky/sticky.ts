// Sticky policies: requests that belong together go to one worker, found by a signed ticket, by a cookie of the app, or by the hash of a key.
// The contained policy chooses for heads without any of these, and when the worker is overloaded (see bounded-load.ts).

import { cookie, type KeySource, keySource, type PolicyKeyFunction } from '../../keys.ts'
import { bindPolicy, fromFunction, type Policy, type PolicyContext, type PolicyFunction } from '../../policy.ts'
import type { StickyData, TicketOptions } from '../../policy-data.ts'
import { leastBusy } from '../least-busy.ts'
import { defaultBound, type LoadBound } from './bounded-load.ts'
import type { ByHash, ByLearning, ByTicket, StickyBy } from './sticky-by.ts'
import { stickyByHash } from './sticky-hash.ts'
import { stickyByTicket } from './sticky-ticket.ts'
import { stickyByLearning } from './sticky-visitor.ts'

/** The name of a cookie: a token (RFC 6265 §4.1.1). */
export const cookieNameForm = /^[!#$%&'*+.^_`|~\w-]+$/

const WAYS: ReadonlySet<string> = new Set<StickyBy['kind']>(['ticket', 'hash', 'learn'])

export interface StickyOptions {
  readonly by: StickyBy
  /** Chooses for heads that are bound to no worker, and when their worker is overloaded. Default `leastBusy()`. */
  readonly otherwise?: Policy | PolicyFunction
  /** A worker is overloaded above this many times the mean of requests in flight. Default 1.5. */
  readonly breakAt?: number
  /** A worker with at most this many requests is never overloaded. Default 8. */
  readonly breakFloor?: number
}

/** Sticky by Switchyard's signed ticket: in a cookie that the worker runtime sets, or inside a session id. */
export function ticket(options: TicketOptions = {}): ByTicket {
  return { kind: 'ticket', options }
}

/** Sticky by the hash of a key. `seed` changes which slot a key maps to; all processes of a pool need the same. */
export function hash(source: KeySource | PolicyKeyFunction, options: { readonly seed?: string } = {}): ByHash {
  const whole = typeof source === 'function' ? keySource(source.name || 'own key', source) : source
  return { kind: 'hash', source: whole, seed: options.seed ?? '' }
}

/**
 * Sticky by a cookie that the app itself sets, such as `learn('connect.sid')`: a visitor returns to the worker whose response set the cookie.
 * Throws TypeError unless `name` can be the name of a cookie.
 */
export function learn(name: string): ByLearning {
  if (!cookieNameForm.test(name)) throw new TypeError(`learn: expected the name of a cookie, got '${name}'`)
  return { kind: 'learn', cookie: name, source: cookie(name) }
}

/**
 * Makes a sticky policy. By ticket it reads tickets only once it is bound (see `Policy.bind`); until then `otherwise` chooses.
 * Throws RangeError unless `breakAt` is at least 1 and `breakFloor` at least 0, and TypeError for any other `by`.
 */
export function sticky(options: StickyOptions): Policy {
  const { by, breakAt = defaultBound.breakAt, breakFloor = defaultBound.breakFloor } = options
  if (!WAYS.has(by?.kind))
    throw new TypeError("sticky: 'by' has to be ticket(), learn('a cookie') or a hash, such as hash(header('x-user'))")
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

/** The policy as data; undefined if a part of it is the user's own code. */
function dataOf(by: StickyBy, otherwise: Policy, { breakAt, breakFloor }: LoadBound): StickyData | undefined {
  const byData = by.kind === 'ticket' ? { ticket: by.options } : by.kind === 'learn' ? { learn: by.cookie } : by.source.data
  if (byData === undefined || otherwise.data === undefined) return undefined
  const seed = by.kind === 'hash' && by.seed !== '' && { seed: by.seed }
  return { sticky: { by: byData, ...seed, otherwise: otherwise.data, breakAt: finite(breakAt), breakFloor: finite(breakFloor) } }
}

/** JSON has no infinity. No load reaches this number either. */
function finite(bound: number): number {
  return Math.min(bound, Number.MAX_VALUE)
}
