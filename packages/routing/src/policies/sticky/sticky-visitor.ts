// Sticky by a cookie that the app itself sets, its session's say: who has given a visitor that cookie gets the visitor again. A value that nobody has
// told of (the table has forgotten it, or somebody made it up) goes by its hash, so that it stays where it is too, and fills no table.

import type { RequestHead } from '../../head/request-head.ts'
import type { Candidate, Policy, PolicyContext } from '../../policy.ts'
import { hashKey, rendezvous } from '../../rendezvous.ts'
import { type LoadBound, loadBound } from '../bounded-load.ts'
import { explanationOf } from '../explanation.ts'
import type { ByLearning } from './sticky-by.ts'

const SEED = ''

/** Makes the policy; `otherwise` is bound already. Where nobody learns, every value goes by its hash. */
export function stickyByLearning(by: ByLearning, otherwise: Policy, bound: LoadBound, context: PolicyContext | undefined): Policy {
  const { source } = by
  let lastSeats: readonly Pick<Candidate, 'slot' | 'weight'>[] = []

  function slotOf(value: string): number | undefined {
    return context?.visitors?.slotOf(context.pool, by.cookie, value)
  }

  function choose(candidates: readonly Candidate[], value: string): Candidate | undefined {
    const mayHave = loadBound(candidates, bound)
    const slot = slotOf(value)
    const known = slot === undefined ? undefined : newestAt(candidates, slot)
    return known !== undefined && mayHave(known) ? known : rendezvous(hashKey(value, SEED), candidates, mayHave)
  }

  return {
    name: 'sticky-learned',
    ...(otherwise.ticket === undefined ? {} : { ticket: otherwise.ticket }),
    learns: [by.cookie, ...(otherwise.learns ?? [])],
    home: (head) => (source.of(head) === undefined ? otherwise.home?.(head) : undefined),
    binds: (head) => source.of(head) !== undefined || (otherwise.binds?.(head) ?? true),
    pick(candidates, head) {
      lastSeats = candidates
      const value = source.of(head)
      const chosen = value === undefined ? undefined : choose(candidates, value)
      return chosen ?? otherwise.pick(candidates, head)
    },
    stays(worker, head) {
      const value = source.of(head)
      if (value === undefined) return otherwise.stays?.(worker, head) ?? true
      // Whom this process does not know is for the primary to judge.
      if (context?.visitors !== undefined) return slotOf(value) === worker.slot
      const home = rendezvous(hashKey(value, SEED), context?.slots?.() ?? lastSeats)
      return home === undefined || home.slot === worker.slot
    },
    explain(candidates: readonly Candidate[], head: RequestHead): string {
      const value = source.of(head)
      const rest = () => `otherwise: ${explanationOf(otherwise, candidates, head)}`
      if (value === undefined) return `no ${source.name} → ${rest()}`
      const chosen = choose(candidates, value)
      const slot = slotOf(value)
      const from =
        slot === undefined ? `${source.name}, of which no worker has told here, by its hash` : `${source.name}, known at slot ${slot}`
      return chosen === undefined ? `${from} → nobody has room → ${rest()}` : `${from} → slot ${chosen.slot}`
    },
  }
}

/** While a worker is replaced two may share a slot. */
function newestAt(candidates: readonly Candidate[], slot: number): Candidate | undefined {
  let newest: Candidate | undefined
  for (const candidate of candidates) {
    if (candidate.slot === slot && (newest === undefined || candidate.generation > newest.generation)) newest = candidate
  }
  return newest
}
