// Sticky by ticket. A ticket inside a session id is looked for first and never broken by load: that session lives in its worker only.
// The cookie's ticket is a preference, and bounded.

import type { RequestHead } from '../../head/request-head.ts'
import type { Candidate, Home, Policy, PolicyContext } from '../../policy.ts'
import { type Seat, ticketOf } from '../../ticket.ts'
import { type LoadBound, loadBound } from '../bounded-load.ts'
import { explanationOf } from '../explanation.ts'
import type { ByTicket } from './sticky-by.ts'
import { ticketSettings } from './ticket-options.ts'

/** Makes the policy; `otherwise` is bound already. Without a context there are no tickets. */
export function stickyByTicket(by: ByTicket, otherwise: Policy, bound: LoadBound, context: PolicyContext | undefined): Policy {
  const settings = context === undefined ? undefined : ticketSettings(by.options, context.pool)

  function home(head: RequestHead): Home | undefined {
    if (settings === undefined || context === undefined) return undefined
    const sessionId = head.queryParameter(settings.query)
    const inside = sessionId === undefined ? undefined : ticketOf(sessionId)
    const session = inside === undefined ? undefined : context.seal.open(inside, context.pool, context.now())
    if (session !== undefined) return { slot: session.slot, generation: session.generation, firm: true }
    const text = head.cookie(settings.cookie)
    const seat = text === undefined ? undefined : context.seal.open(text, context.pool, context.now())
    return seat === undefined ? undefined : { slot: seat.slot, generation: seat.generation, firm: false }
  }

  /** As far as is known; a seat that nobody holds has no worker to go to. */
  function isHeld({ slot }: Seat): boolean {
    return context?.slots?.().some((seat) => seat.slot === slot) ?? true
  }

  function choose(candidates: readonly Candidate[], seat: Home): Candidate | undefined {
    const worker = workerAt(candidates, seat)
    return worker === undefined || seat.firm || loadBound(candidates, bound)(worker) ? worker : undefined
  }

  return {
    name: 'sticky-ticket',
    ticket: settings ?? by.options,
    learns: otherwise.learns ?? [],
    home,
    binds: (head) => home(head) !== undefined || (otherwise.binds?.(head) ?? true),
    pick(candidates, head) {
      const seat = home(head)
      const chosen = seat === undefined ? undefined : choose(candidates, seat)
      return chosen ?? otherwise.pick(candidates, head)
    },
    stays(worker, head) {
      const seat = home(head)
      if (seat === undefined) return otherwise.stays?.(worker, head) ?? true
      // In a reload two workers have the slot for a while, and a session is in one of them only.
      const isHere = seat.slot === worker.slot && (!seat.firm || seat.generation === worker.generation)
      return isHere || !isHeld(seat)
    },
    explain(candidates: readonly Candidate[], head: RequestHead): string {
      const seat = home(head)
      const rest = () => `otherwise: ${explanationOf(otherwise, candidates, head)}`
      if (seat === undefined) return `no ticket → ${rest()}`
      const from = seat.firm ? `session id in query ${settings?.query}` : `cookie ${settings?.cookie}`
      if (choose(candidates, seat) !== undefined) return `ticket from ${from} → slot ${seat.slot}`
      const why = workerAt(candidates, seat) === undefined ? 'is not free' : 'has too much'
      return `ticket from ${from} → slot ${seat.slot} ${why} → ${rest()}`
    },
  }
}

/** The worker of that slot and generation, or else of that slot in its newest generation. */
function workerAt(candidates: readonly Candidate[], seat: Seat): Candidate | undefined {
  let found: Candidate | undefined
  for (const candidate of candidates) {
    if (candidate.slot !== seat.slot) continue
    if (candidate.generation === seat.generation) return candidate
    if (found === undefined || candidate.generation > found.generation) found = candidate
  }
  return found
}
