// Sticky by a cookie that the app itself sets, such as its session cookie: a visitor returns to the worker that set the cookie.
// An unknown value (forgotten or made up by the client) goes by its hash, so it is sticky too and fills no table.

import type { RequestHead } from '../../head/request-head.ts'
import { type Candidate, explanationOf, type Policy, type PolicyContext, previewOf } from '../../policy.ts'
import { hashKey, rendezvous } from '../../rendezvous.ts'
import { type LoadBound, loadBound } from './bounded-load.ts'
import type { ByLearning } from './sticky-by.ts'
import { type Choice, choiceByHash, keyIn, pickKeyless, reported } from './sticky-outcome.ts'

const SEED = ''

/** Makes the policy; `otherwise` is bound already. Without a table of visitors every value goes by its hash. */
export function stickyByLearning(by: ByLearning, otherwise: Policy, bound: LoadBound, context: PolicyContext | undefined): Policy {
  const { source } = by
  let lastSlots: readonly Pick<Candidate, 'slot' | 'weight'>[] = []

  function slotOf(value: string): number | undefined {
    return context?.visitors?.slotOf(context.pool, by.cookie, value)
  }

  function choose(candidates: readonly Candidate[], value: string): Choice {
    const hasRoom = loadBound(candidates, bound)
    const slot = slotOf(value)
    const hash = hashKey(value, SEED)
    if (slot === undefined) return choiceByHash(hash, candidates, hasRoom, context)
    const own = newestAt(candidates, slot)
    if (own !== undefined && hasRoom(own)) return { chosen: own, outcome: 'kept' }
    return { chosen: rendezvous(hash, candidates, hasRoom), outcome: own === undefined ? 'gone' : 'overloaded' }
  }

  return {
    name: 'sticky-learned',
    ...(otherwise.ticket === undefined ? {} : { ticket: otherwise.ticket }),
    learns: [by.cookie, ...(otherwise.learns ?? [])],
    home: (head) => (source.of(head) === undefined ? otherwise.home?.(head) : undefined),
    binds: (head) => source.of(head) !== undefined || (otherwise.binds?.(head) ?? true),
    pick(candidates, head) {
      lastSlots = candidates
      const value = source.of(head)
      if (value === undefined) return pickKeyless(otherwise, candidates, head, context)
      const { chosen, outcome } = choose(candidates, value)
      return reported(chosen ?? otherwise.pick(candidates, head), outcome, context)
    },
    stays(worker, head) {
      const value = source.of(head)
      if (value === undefined) return otherwise.stays?.(worker, head) ?? true
      // The primary decides for a visitor that this process does not know.
      if (context?.visitors !== undefined) return slotOf(value) === worker.slot
      const home = rendezvous(hashKey(value, SEED), context?.slots?.() ?? lastSlots)
      return home === undefined || home.slot === worker.slot
    },
    key: (head) => keyIn(head, source, source.name) ?? otherwise.key?.(head),
    preview(candidates, head) {
      const value = source.of(head)
      return (value === undefined ? undefined : choose(candidates, value).chosen) ?? previewOf(otherwise, candidates, head)
    },
    explain(candidates: readonly Candidate[], head: RequestHead): string {
      const value = source.of(head)
      const fallback = () => `otherwise: ${explanationOf(otherwise, candidates, head)}`
      if (value === undefined) return `no ${source.name} → ${fallback()}`
      const { chosen } = choose(candidates, value)
      const slot = slotOf(value)
      const from = slot === undefined ? `${source.name}, unknown here, by its hash` : `${source.name}, known at slot ${slot}`
      return chosen === undefined ? `${from} → no worker has room → ${fallback()}` : `${from} → slot ${chosen.slot}`
    },
  }
}

/** Two workers may share a slot during a reload. */
function newestAt(candidates: readonly Candidate[], slot: number): Candidate | undefined {
  let newest: Candidate | undefined
  for (const candidate of candidates) {
    if (candidate.slot === slot && (newest === undefined || candidate.generation > newest.generation)) newest = candidate
  }
  return newest
}
