// Chooses the candidate with the fewest requests in flight, in proportion to weight. It needs no tuning: a slow or stuck worker gets fewer
// requests by itself. It never waits: a request given to a busy worker stays there, even when another worker turns free.

import type { Candidate, Policy } from '../policy.ts'
import { comesBefore, costOf } from './weight.ts'

/** Makes a policy that compares `(inFlight + 1) / weight`. */
export function leastInFlight(): Policy {
  let lastSlot = -1

  function choose(candidates: readonly Candidate[]): Candidate | undefined {
    let best: Candidate | undefined
    let least = 0
    for (const candidate of candidates) {
      const cost = costOf(candidate)
      if (best === undefined || cost < least || (cost === least && comesBefore(candidate.slot, best.slot, lastSlot))) {
        best = candidate
        least = cost
      }
    }
    return best
  }

  return {
    name: 'least-in-flight',
    data: 'least-in-flight',
    binds: () => false,
    pick(candidates) {
      const chosen = choose(candidates)
      if (chosen !== undefined) lastSlot = chosen.slot
      return chosen
    },
    preview: choose,
    explain(candidates) {
      const chosen = choose(candidates)
      return chosen === undefined ? 'no worker is free' : `least in-flight: slot ${chosen.slot} with ${chosen.load.inFlight}`
    },
  }
}
