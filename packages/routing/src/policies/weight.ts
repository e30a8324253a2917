// A candidate's weight as policies count it.

import type { Candidate } from '../policy.ts'

/** The weight, made positive: a candidate of weight 0 is taken when there is no other. */
export function weightOf(candidate: Pick<Candidate, 'weight'>): number {
  return candidate.weight > 0 ? candidate.weight : 1e-9
}

/** How loaded the candidate would be with one more request, in proportion to its weight: `(inFlight + 1) / weight`. */
export function costOf(candidate: Candidate): number {
  return (candidate.load.inFlight + 1) / weightOf(candidate)
}
