// By turn, in proportion to weight and spread evenly: a a b a c a a for weights 5, 1, 1. Smooth weighted round robin as nginx has it
// (src/http/ngx_http_upstream_round_robin.c). For requests that cost about the same; it does not look at load.

import type { Candidate, Policy } from '../policy.ts'
import { weightOf } from './weight.ts'

const PICKS_BETWEEN_SWEEPS = 256

interface Turn {
  current: number
  seenAt: number
}

/** Makes a policy that takes the candidates by turn. Each route that it is bound to has turns of its own. */
export function roundRobin(): Policy {
  const turns = new Map<number, Turn>()
  let picks = 0

  function forgetGoneSlots(): void {
    for (const [slot, turn] of turns) {
      if (turn.seenAt <= picks - PICKS_BETWEEN_SWEEPS) turns.delete(slot)
    }
  }

  return {
    name: 'round-robin',
    data: 'round-robin',
    binds: () => false,
    pick(candidates) {
      picks++
      let best: Candidate | undefined
      let bestTurn: Turn | undefined
      let total = 0
      for (const candidate of candidates) {
        const weight = weightOf(candidate)
        let turn = turns.get(candidate.slot)
        if (turn === undefined) {
          turn = { current: 0, seenAt: 0 }
          turns.set(candidate.slot, turn)
        }
        turn.current += weight
        turn.seenAt = picks
        total += weight
        if (bestTurn === undefined || turn.current > bestTurn.current) {
          best = candidate
          bestTurn = turn
        }
      }
      if (bestTurn !== undefined) bestTurn.current -= total
      if (picks % PICKS_BETWEEN_SWEEPS === 0) forgetGoneSlots()
      return best
    },
    bind: () => roundRobin(),
    explain: (candidates) => (candidates.length === 0 ? 'nobody is free' : `round robin over ${candidates.length}`),
  }
}
