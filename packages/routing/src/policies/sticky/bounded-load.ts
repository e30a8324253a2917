// Bounds the load that a worker takes for the sake of a key. Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads"
// (2016): skip a worker above c times the mean. The floor is ours: with few requests the mean says little.

import type { Candidate } from '../../policy.ts'
import { weightOf } from '../weight.ts'

export interface LoadBound {
  /** A worker is overloaded above this many times the mean of requests in flight. */
  readonly breakAt: number
  /** A worker with at most this many requests is never overloaded. */
  readonly breakFloor: number
}

export const defaultBound: LoadBound = { breakAt: 1.5, breakFloor: 8 }

/**
 * Makes the test *may this candidate have one more request?* for one list of candidates: `inFlight + 1` is at most `breakAt` times the
 * mean of `inFlight + 1`, in proportion to weight, or at most `breakFloor`.
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
