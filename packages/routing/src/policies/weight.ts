// A candidate's weight as policies count it.

import type { Candidate } from '../policy.ts'

const LEAST_WEIGHT = 1e-9

/** The weight, made positive: a candidate of weight 0 is taken when there is no other. */
export function weightOf(candidate: Pick<Candidate, 'weight'>): number {
  return Math.max(candidate.weight, LEAST_WEIGHT)
}

/** How loaded the candidate would be with one more request, in proportion to its weight: `(inFlight + 1) / weight`. */
export function costOf(candidate: Candidate): number {
  return (candidate.load.inFlight + 1) / weightOf(candidate)
}
