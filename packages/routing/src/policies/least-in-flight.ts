// The candidate with the fewest requests begun and not finished, in proportion to weight. The best default: it needs no tuning, and a worker that is
// slow or stuck gets less by itself. Ties are broken in turn, or else an idle pool would send everything to its first worker.

import type { Candidate, Policy } from '../policy.ts'
import { weightOf } from './weight.ts'

/** Makes a policy that compares `(inFlight + 1) / weight`. */
export function leastInFlight(): Policy {
  let lastSlot = -1

  function choose(candidates: readonly Candidate[]): Candidate | undefined {
    let best: Candidate | undefined
    let least = 0
    for (const candidate of candidates) {
      const cost = (candidate.load.inFlight + 1) / weightOf(candidate)
      if (best === undefined || cost < least || (cost === least && comesBefore(candidate.slot, best.slot))) {
        best = candidate
        least = cost
      }
    }
    return best
  }

  /** In the circle of slots that starts after the last one chosen. */
  function comesBefore(slot: number, other: number): boolean {
    return slot > lastSlot === other > lastSlot ? slot < other : slot > lastSlot
  }

  return {
    name: 'least-in-flight',
    data: 'least-in-flight',
    pick(candidates) {
      const chosen = choose(candidates)
      if (chosen !== undefined) lastSlot = chosen.slot
      return chosen
    },
    explain(candidates) {
      const chosen = choose(candidates)
      return chosen === undefined ? 'nobody is free' : `least in-flight: slot ${chosen.slot} with ${chosen.load.inFlight}`
    },
  }
}
