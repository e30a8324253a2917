// Sticky by the hash of a key: rendezvous over slots, past the workers that have too much.

import type { RequestHead } from '../../head/request-head.ts'
import type { Candidate, Policy, PolicyContext } from '../../policy.ts'
import { hashKey, rendezvous } from '../../rendezvous.ts'
import { type LoadBound, loadBound } from '../bounded-load.ts'
import { explanationOf } from '../explanation.ts'
import type { ByHash } from './sticky-by.ts'

/** Makes the policy; `otherwise` is bound already. */
export function stickyByHash(by: ByHash, otherwise: Policy, bound: LoadBound, context: PolicyContext | undefined): Policy {
  let lastSeats: readonly Pick<Candidate, 'slot' | 'weight'>[] = []

  function choose(candidates: readonly Candidate[], key: string): Candidate | undefined {
    return rendezvous(hashKey(key, by.seed), candidates, loadBound(candidates, bound))
  }

  return {
    name: 'sticky-hash',
    // A head without key may carry the ticket of the policy inside.
    ...(otherwise.ticket === undefined ? {} : { ticket: otherwise.ticket }),
    learns: otherwise.learns ?? [],
    home: (head) => (by.source.of(head) === undefined ? otherwise.home?.(head) : undefined),
    binds: (head) => by.source.of(head) !== undefined || (otherwise.binds?.(head) ?? true),
    pick(candidates, head) {
      lastSeats = candidates
      const key = by.source.of(head)
      const chosen = key === undefined ? undefined : choose(candidates, key)
      return chosen ?? otherwise.pick(candidates, head)
    },
    stays(worker, head) {
      const key = by.source.of(head)
      if (key === undefined) return otherwise.stays?.(worker, head) ?? true
      const home = rendezvous(hashKey(key, by.seed), context?.slots?.() ?? lastSeats)
      return home === undefined || home.slot === worker.slot
    },
    explain(candidates: readonly Candidate[], head: RequestHead): string {
      const key = by.source.of(head)
      if (key === undefined) return `no key from ${by.source.name} → otherwise: ${explanationOf(otherwise, candidates, head)}`
      const chosen = choose(candidates, key)
      const from = `key '${key}' from ${by.source.name}`
      if (chosen === undefined) return `${from} → nobody has room → otherwise: ${explanationOf(otherwise, candidates, head)}`
      const first = rendezvous(hashKey(key, by.seed), candidates)
      const past = first === undefined || first.slot === chosen.slot ? '' : `slot ${first.slot}, which has too much → `
      return `${from} → ${past}slot ${chosen.slot}`
    },
  }
}
