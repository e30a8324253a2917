// How much more than its share a worker may be given for the sake of a key. Mirrokni, Thorup and Zadimoghaddam,
// "Consistent hashing with bounded loads" (2016): skip whoever has more than c times the mean, here with a floor so that small counts don't count.

import type { Candidate } from '../policy.ts'
import { weightOf } from './weight.ts'

export interface LoadBound {
  /** A worker is full at this many times the mean of requests in flight. */
  readonly breakAt: number
  /** But never with fewer requests than this. */
  readonly breakFloor: number
}

/**
 * Makes the test *may this candidate have one more?* for one table of candidates: `inFlight + 1` against `breakAt` times the mean of `inFlight + 1`,
 * in proportion to weight, or `breakFloor`, whichever is more.
 */
export function loadBound(candidates: readonly Candidate[], bound: LoadBound): (candidate: Candidate) => boolean {
  let total = 0
  let weights = 0
  for (const candidate of candidates) {
    total += candidate.load.inFlight + 1
    weights += weightOf(candidate)
  }
  return (candidate) => {
    const share = (total * weightOf(candidate)) / weights
    return candidate.load.inFlight + 1 <= Math.max(bound.breakFloor, bound.breakAt * share)
  }
}
