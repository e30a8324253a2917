// Prefers the slot that the TLS session of a new connection belongs to, where requests of some routes are sticky by ticket and others are not. The requests of
// a connection are not known at its ClientHello, and a client whose last connection had a sticky request probably sends another.

import type { RequestHead } from '../../head/request-head.ts'
import { type Candidate, explanationOf, type Policy, type PolicyContext, previewOf } from '../../policy.ts'
import { defaultBound, loadBound } from './bounded-load.ts'
import { reported } from './sticky-outcome.ts'

/** The policy, which is bound, with that preference for heads that are ClientHellos. It chooses for all others, and when the slot is overloaded. */
export function preferResumed(policy: Policy, context: PolicyContext): Policy {
  function slotFor(head: RequestHead): number | undefined {
    if (head.protocol !== 'tls' || head.hello === undefined || head.hello.ticketNames.length === 0) return undefined
    return context.tlsTickets?.slotOf(context.pool, head.hello.ticketNames)
  }

  function workerFor(candidates: readonly Candidate[], slot: number): Candidate | undefined {
    let newest: Candidate | undefined
    for (const candidate of candidates) {
      if (candidate.slot === slot && (newest === undefined || candidate.generation > newest.generation)) newest = candidate
    }
    return newest
  }

  function preferred(candidates: readonly Candidate[], slot: number): Candidate | undefined {
    const worker = workerFor(candidates, slot)
    return worker !== undefined && loadBound(candidates, defaultBound)(worker) ? worker : undefined
  }

  return Object.assign(Object.create(policy) as Policy, {
    binds: (head: RequestHead) => slotFor(head) !== undefined || (policy.binds?.(head) ?? true),
    pick(candidates: readonly Candidate[], head: RequestHead) {
      const slot = slotFor(head)
      if (slot === undefined) return policy.pick(candidates, head)
      const worker = preferred(candidates, slot)
      if (worker !== undefined) return reported(worker, 'kept', context)
      const outcome = workerFor(candidates, slot) === undefined ? 'gone' : 'overloaded'
      return reported(policy.pick(candidates, head), outcome, context)
    },
    preview(candidates: readonly Candidate[], head: RequestHead) {
      const slot = slotFor(head)
      return (slot === undefined ? undefined : preferred(candidates, slot)) ?? previewOf(policy, candidates, head)
    },
    explain(candidates: readonly Candidate[], head: RequestHead) {
      const slot = slotFor(head)
      const otherwise = explanationOf(policy, candidates, head)
      if (slot === undefined) return otherwise
      const from = `TLS session of slot ${slot}`
      return preferred(candidates, slot) === undefined ? `${from}, which is overloaded or gone → otherwise: ${otherwise}` : from
    },
  })
}
