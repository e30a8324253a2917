// What the three sticky policies share: the key of a head, and the report of what became of it.

import type { RequestHead } from '../../head/request-head.ts'
import type { KeySource } from '../../keys.ts'
import type { Candidate, Policy, PolicyContext, PolicyKey, StickyOutcome } from '../../policy.ts'
import { type KeyHash, rendezvous } from '../../rendezvous.ts'

/** The worker for a key, and whether it is the key's own. `chosen` undefined: the contained policy chooses. */
export interface Choice {
  readonly chosen: Candidate | undefined
  readonly outcome: StickyOutcome
}

/** The worker that the hash of a key leads to, or the next one that has room. */
export function choiceByHash(
  hash: KeyHash,
  candidates: readonly Candidate[],
  hasRoom: (candidate: Candidate) => boolean,
  context: Pick<PolicyContext, 'homes'> | undefined,
): Choice {
  const first = rendezvous(hash, candidates)
  if (first === undefined) return { chosen: undefined, outcome: 'gone' }
  const homes = context?.homes?.() ?? []
  // The usual case: every slot has a candidate.
  const isHome = homes.length <= candidates.length || rendezvous(hash, homes)?.slot === first.slot
  const isFirst = hasRoom(first)
  return { chosen: isFirst ? first : rendezvous(hash, candidates, hasRoom), outcome: isHome ? (isFirst ? 'kept' : 'overloaded') : 'gone' }
}

/** Reports the outcome if a candidate was picked, and returns the candidate. */
export function reported(
  picked: Candidate | undefined,
  outcome: StickyOutcome,
  context: Pick<PolicyContext, 'onSticky'> | undefined,
): Candidate | undefined {
  if (picked !== undefined) context?.onSticky?.(outcome)
  return picked
}

/** Picks for a head without a key. A contained sticky policy reports for itself. */
export function pickKeyless(
  otherwise: Policy,
  candidates: readonly Candidate[],
  head: RequestHead,
  context: PolicyContext | undefined,
): Candidate | undefined {
  const picked = otherwise.pick(candidates, head)
  return otherwise.key === undefined ? reported(picked, 'no-key', context) : picked
}

export function keyIn(head: RequestHead, source: KeySource, kind: string): PolicyKey | undefined {
  const value = source.of(head)
  return value === undefined ? undefined : { kind, value }
}
