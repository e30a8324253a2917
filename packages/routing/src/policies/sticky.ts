// Sticky: what belongs together goes to one worker, by a ticket that the client carries or by the hash of a key. It contains another policy for heads
// that belong to nobody, and for workers that have too much (see bounded-load.ts).

import { type KeySource, keySource, type PolicyKeyFunction } from '../keys.ts'
import { bindPolicy, fromFunction, type Policy, type PolicyContext, type PolicyFunction } from '../policy.ts'
import type { StickyData } from '../policy-data.ts'
import type { LoadBound } from './bounded-load.ts'
import { leastBusy } from './least-busy.ts'
import type { ByHash, ByTicket, StickyBy } from './sticky-by.ts'
import { stickyByHash } from './sticky-hash.ts'
import { stickyByTicket } from './sticky-ticket.ts'
import type { TicketOptions } from './ticket-options.ts'

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
  const policy = by.kind === 'hash' ? stickyByHash(by, inner, bound, context) : stickyByTicket(by, inner, bound, context)
  const data = dataOf(by, inner, bound)
  const waits = inner.waitsForLoop === true && { waitsForLoop: true as const }
  return { ...policy, ...(data !== undefined && { data }), ...waits, bind: (next) => assemble(by, otherwise, bound, next) }
}

/** The policy as data, unless a part of it is the user's own code. */
function dataOf(by: StickyBy, otherwise: Policy, { breakAt, breakFloor }: LoadBound): StickyData | undefined {
  const told = by.kind === 'ticket' ? { ticket: by.options } : by.source.data
  if (told === undefined || otherwise.data === undefined) return undefined
  const seed = by.kind === 'hash' && by.seed !== '' && { seed: by.seed }
  return { sticky: { by: told, ...seed, otherwise: otherwise.data, breakAt: finite(breakAt), breakFloor: finite(breakFloor) } }
}

/** JSON has no infinity; no load reaches this either. */
function finite(bound: number): number {
  return Math.min(bound, Number.MAX_VALUE)
}
