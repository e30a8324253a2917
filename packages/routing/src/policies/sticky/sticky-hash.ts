// Sticky by the hash of a key: rendezvous hashing over slots, which skips overloaded workers.

import type { RequestHead } from '../../head/request-head.ts'
import { type Candidate, explanationOf, type Policy, type PolicyContext, previewOf } from '../../policy.ts'
import { hashKey, rendezvous } from '../../rendezvous.ts'
import { type LoadBound, loadBound } from './bounded-load.ts'
import type { ByHash } from './sticky-by.ts'
import { type Choice, choiceByHash, keyIn, pickKeyless, reported } from './sticky-outcome.ts'

/** Makes the policy; `otherwise` is bound already. */
export function stickyByHash(by: ByHash, otherwise: Policy, bound: LoadBound, context: PolicyContext | undefined): Policy {
  let lastSlots: readonly Pick<Candidate, 'slot' | 'weight'>[] = []

  function choose(candidates: readonly Candidate[], key: string): Choice {
    return choiceByHash(hashKey(key, by.seed), candidates, loadBound(candidates, bound), context)
  }

  return {
    name: 'sticky-hash',
    // A head without a key may carry a ticket of the contained policy.
    ...(otherwise.ticket === undefined ? {} : { ticket: otherwise.ticket }),
    learns: otherwise.learns ?? [],
    home: (head) => (by.source.of(head) === undefined ? otherwise.home?.(head) : undefined),
    binds: (head) => by.source.of(head) !== undefined || (otherwise.binds?.(head) ?? true),
    key: (head) => keyIn(head, by.source, by.source.name) ?? otherwise.key?.(head),
    pick(candidates, head) {
      lastSlots = candidates
      const key = by.source.of(head)
      if (key === undefined) return pickKeyless(otherwise, candidates, head, context)
      const { chosen, outcome } = choose(candidates, key)
      return reported(chosen ?? otherwise.pick(candidates, head), outcome, context)
    },
    stays(worker, head) {
      const key = by.source.of(head)
      if (key === undefined) return otherwise.stays?.(worker, head) ?? true
      const home = rendezvous(hashKey(key, by.seed), context?.slots?.() ?? lastSlots)
      return home === undefined || home.slot === worker.slot
    },
    preview(candidates, head) {
      const key = by.source.of(head)
      return (key === undefined ? undefined : choose(candidates, key).chosen) ?? previewOf(otherwise, candidates, head)
    },
    explain(candidates: readonly Candidate[], head: RequestHead): string {
      const key = by.source.of(head)
      if (key === undefined) return `no key from ${by.source.name} → otherwise: ${explanationOf(otherwise, candidates, head)}`
      const { chosen } = choose(candidates, key)
      const from = `key from ${by.source.name}`
      if (chosen === undefined) return `${from} → no worker has room → otherwise: ${explanationOf(otherwise, candidates, head)}`
      const first = rendezvous(hashKey(key, by.seed), candidates)
      const past = first === undefined || first.slot === chosen.slot ? '' : `slot ${first.slot}, which is overloaded → `
      return `${from} → ${past}slot ${chosen.slot}`
    },
  }
}
