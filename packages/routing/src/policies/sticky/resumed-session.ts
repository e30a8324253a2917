// Prefers the slot that the TLS session of a new connection belongs to, where requests of some routes are sticky by ticket and others are not. The requests of
// a connection are not known at its ClientHello, and a client whose last connection had a sticky request probably sends another.

import type { RequestHead } from '../../head/request-head.ts'
import { type Candidate, explanationOf, type Policy, type PolicyContext, previewOf } from '../../policy.ts'
import type { TicketHome } from '../../tls-ticket-name.ts'
import { defaultBound, loadBound } from './bounded-load.ts'
import { type Choice, reported } from './sticky-outcome.ts'

/** The policy, which is bound, with that preference for heads that are ClientHellos. It chooses for all others, and when the slot is overloaded. */
export function preferResumed(policy: Policy, context: PolicyContext): Policy {
  function homeOf(head: RequestHead): TicketHome | undefined {
    if (head.protocol !== 'tls' || head.hello === undefined || head.hello.ticketNames.length === 0) return undefined
    return context.tlsTickets?.homeOf(context.pool, head.hello.ticketNames)
  }

  /** The newest worker of the slot, unless it is overloaded. */
  function choose(candidates: readonly Candidate[], { slot, firm }: TicketHome): Choice {
    let newest: Candidate | undefined
    for (const candidate of candidates) {
      if (candidate.slot === slot && (newest === undefined || candidate.generation > newest.generation)) newest = candidate
    }
    if (newest === undefined) return { chosen: undefined, outcome: 'gone' }
    if (firm || loadBound(candidates, defaultBound)(newest)) return { chosen: newest, outcome: 'kept' }
    return { chosen: undefined, outcome: 'overloaded' }
  }

  return Object.assign(Object.create(policy) as Policy, {
    binds: (head: RequestHead) => homeOf(head) !== undefined || (policy.binds?.(head) ?? true),
    pick(candidates: readonly Candidate[], head: RequestHead) {
      const home = homeOf(head)
      if (home === undefined) return policy.pick(candidates, head)
      const { chosen, outcome } = choose(candidates, home)
      return reported(chosen ?? policy.pick(candidates, head), outcome, context)
    },
    preview(candidates: readonly Candidate[], head: RequestHead) {
      const home = homeOf(head)
      return (home === undefined ? undefined : choose(candidates, home).chosen) ?? previewOf(policy, candidates, head)
    },
    explain(candidates: readonly Candidate[], head: RequestHead) {
      const home = homeOf(head)
      const otherwise = explanationOf(policy, candidates, head)
      if (home === undefined) return otherwise
      const { outcome } = choose(candidates, home)
      const from = `TLS session ticket → slot ${home.slot}`
      return outcome === 'kept' ? from : `${from} is ${outcome === 'gone' ? 'not free' : 'overloaded'} → otherwise: ${otherwise}`
    },
  })
}
