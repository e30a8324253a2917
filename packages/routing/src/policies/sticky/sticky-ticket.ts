// Sticky by ticket. A ticket inside a session id comes first and ignores load, because that session lives in one worker only.
// The cookie's ticket is a preference: an overloaded worker is skipped. So is the slot that the TLS session tickets of a ClientHello belong to.

import type { RequestHead } from '../../head/request-head.ts'
import { type Candidate, explanationOf, type Home, type Policy, type PolicyContext, type PolicyKey, previewOf } from '../../policy.ts'
import type { TicketOptions } from '../../policy-data.ts'
import { type Seat, ticketOf } from '../../ticket.ts'
import { type LoadBound, loadBound } from './bounded-load.ts'
import type { ByTicket } from './sticky-by.ts'
import { type Choice, pickKeyless, reported } from './sticky-outcome.ts'

/** Higher than the generation of any worker. */
const NEWEST = Number.MAX_SAFE_INTEGER
/** The kind of a key, for people. */
const TLS_TICKET = 'TLS session ticket'

/** The options with every default filled in for one pool. */
export function ticketSettings(options: TicketOptions, pool: string): Required<TicketOptions> {
  return {
    // The name of a cookie is a token (RFC 6265 §4.1.1).
    cookie: options.cookie ?? `switchyard-${pool.replace(/[^\w-]/g, '-')}`,
    query: options.query ?? 'sid',
    maxAgeMs: options.maxAgeMs ?? 24 * 60 * 60 * 1000,
    sameSite: options.sameSite ?? 'Lax',
    secure: options.secure ?? 'auto',
    path: options.path ?? '/',
  }
}

/** Makes the policy; `otherwise` is bound already. Without a context there are no tickets. */
export function stickyByTicket(by: ByTicket, otherwise: Policy, bound: LoadBound, context: PolicyContext | undefined): Policy {
  const settings = context === undefined ? undefined : ticketSettings(by.options, context.pool)

  function homeOf(head: RequestHead): Home | undefined {
    if (settings === undefined || context === undefined) return undefined
    if (head.protocol === 'tls') return homeOfHello(head)
    const sessionId = head.queryParameter(settings.query)
    const inside = sessionId === undefined ? undefined : ticketOf(sessionId)
    const session = inside === undefined ? undefined : context.seal.open(inside, context.pool, context.now())
    if (session !== undefined) return { slot: session.slot, generation: session.generation, firm: true }
    const text = head.cookie(settings.cookie)
    const preferred = text === undefined ? undefined : context.seal.open(text, context.pool, context.now())
    return preferred === undefined ? undefined : { slot: preferred.slot, generation: preferred.generation, firm: false }
  }

  /** TLS session tickets name no generation: during a reload the newest worker of the slot gets the connection. */
  function homeOfHello({ hello }: RequestHead): Home | undefined {
    if (context?.tlsTickets === undefined || hello === undefined || hello.ticketNames.length === 0) return undefined
    const home = context.tlsTickets.homeOf(context.pool, hello.ticketNames)
    return home && { ...home, generation: NEWEST }
  }

  /** Does a worker hold the slot, as far as this process knows? */
  function isOccupied({ slot }: Seat): boolean {
    return context?.slots?.().some((occupied) => occupied.slot === slot) ?? true
  }

  function choose(candidates: readonly Candidate[], home: Home): Choice {
    const worker = workerAt(candidates, home)
    if (worker === undefined) return { chosen: undefined, outcome: 'gone' }
    return home.firm || loadBound(candidates, bound)(worker)
      ? { chosen: worker, outcome: 'kept' }
      : { chosen: undefined, outcome: 'overloaded' }
  }

  /** The ticket is not verified. */
  function keyOf(head: RequestHead): PolicyKey | undefined {
    if (settings === undefined) return undefined
    const [tlsTicket] = head.protocol === 'tls' ? (head.hello?.ticketNames ?? []) : []
    if (tlsTicket !== undefined) return { kind: TLS_TICKET, value: Buffer.from(tlsTicket).toString('base64url') }
    const sessionId = head.queryParameter(settings.query)
    const inside = sessionId === undefined ? undefined : ticketOf(sessionId)
    if (inside !== undefined) return { kind: `session id in query ${settings.query}`, value: inside }
    const value = head.cookie(settings.cookie)
    return value === undefined ? undefined : { kind: `ticket in cookie ${settings.cookie}`, value }
  }

  return {
    name: 'sticky-ticket',
    ticket: settings ?? by.options,
    learns: otherwise.learns ?? [],
    home: homeOf,
    binds: (head) => homeOf(head) !== undefined || (otherwise.binds?.(head) ?? true),
    pick(candidates, head) {
      const home = homeOf(head)
      if (home === undefined) return pickKeyless(otherwise, candidates, head, context)
      const { chosen, outcome } = choose(candidates, home)
      return reported(chosen ?? otherwise.pick(candidates, head), outcome, context)
    },
    stays(worker, head) {
      const home = homeOf(head)
      if (home === undefined) return otherwise.stays?.(worker, head) ?? true
      // During a reload two workers share the slot, and a session lives in one of them only.
      const isHere = home.slot === worker.slot && (!home.firm || home.generation === worker.generation)
      return isHere || !isOccupied(home)
    },
    key: (head) => keyOf(head) ?? otherwise.key?.(head),
    preview(candidates, head) {
      const home = homeOf(head)
      return (home === undefined ? undefined : choose(candidates, home).chosen) ?? previewOf(otherwise, candidates, head)
    },
    explain(candidates: readonly Candidate[], head: RequestHead): string {
      const home = homeOf(head)
      const fallback = () => `otherwise: ${explanationOf(otherwise, candidates, head)}`
      if (home === undefined) return `no ticket → ${fallback()}`
      const inHead = home.firm ? `session id in query ${settings?.query}` : `cookie ${settings?.cookie}`
      const from = head.protocol === 'tls' ? TLS_TICKET : inHead
      if (choose(candidates, home).chosen !== undefined) return `ticket from ${from} → slot ${home.slot}`
      const why = workerAt(candidates, home) === undefined ? 'is not free' : 'is overloaded'
      return `ticket from ${from} → slot ${home.slot} ${why} → ${fallback()}`
    },
  }
}

/** The candidate of this slot and generation, or else the slot's newest. */
function workerAt(candidates: readonly Candidate[], { slot, generation }: Seat): Candidate | undefined {
  let found: Candidate | undefined
  for (const candidate of candidates) {
    if (candidate.slot !== slot) continue
    if (candidate.generation === generation) return candidate
    if (found === undefined || candidate.generation > found.generation) found = candidate
  }
  return found
}
