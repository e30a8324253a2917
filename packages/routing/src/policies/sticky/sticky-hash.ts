// Sticky by the hash of a key: rendezvous hashing over slots, which skips overloaded workers.

import type { RequestHead } from '../../head/request-head.ts'
import { type Candidate, explanationOf, type Policy, type PolicyContext } from '../../policy.ts'
import { hashKey, rendezvous } from '../../rendezvous.ts'
import { type LoadBound, loadBound } from './bounded-load.ts'
import type { ByHash } from './sticky-by.ts'

/** Makes the policy; `otherwise` is bound already. */
export function stickyByHash(by: ByHash, otherwise: Policy, bound: LoadBound, context: PolicyContext | undefined): Policy {
  let lastSlots: readonly Pick<Candidate, 'slot' | 'weight'>[] = []

  function choose(candidates: readonly Candidate[], key: string): Candidate | undefined {
    return rendezvous(hashKey(key, by.seed), candidates, loadBound(candidates, bound))
  }

  return {
    name: 'sticky-hash',
    // A head without a key may carry a ticket of the contained policy.
    ...(otherwise.ticket === undefined ? {} : { ticket: otherwise.ticket }),
    learns: otherwise.learns ?? [],
    home: (head) => (by.source.of(head) === undefined ? otherwise.home?.(head) : undefined),
    binds: (head) => by.source.of(head) !== undefined || (otherwise.binds?.(head) ?? true),
    pick(candidates, head) {
      lastSlots = candidates
      const key = by.source.of(head)
      const chosen = key === undefined ? undefined : choose(candidates, key)
      return chosen ?? otherwise.pick(candidates, head)
    },
    stays(worker, head) {
      const key = by.source.of(head)
      if (key === undefined) return otherwise.stays?.(worker, head) ?? true
      const home = rendezvous(hashKey(key, by.seed), context?.slots?.() ?? lastSlots)
      return home === undefined || home.slot === worker.slot
    },
    explain(candidates: readonly Candidate[], head: RequestHead): string {
      const key = by.source.of(head)
      if (key === undefined) return `no key from ${by.source.name} → otherwise: ${explanationOf(otherwise, candidates, head)}`
      const chosen = choose(candidates, key)
      const from = `key '${key}' from ${by.source.name}`
      if (chosen === undefined) return `${from} → no worker has room → otherwise: ${explanationOf(otherwise, candidates, head)}`
      const first = rendezvous(hashKey(key, by.seed), candidates)
      const past = first === undefined || first.slot === chosen.slot ? '' : `slot ${first.slot}, which is overloaded → `
      return `${from} → ${past}slot ${chosen.slot}`
    },
  }
}
