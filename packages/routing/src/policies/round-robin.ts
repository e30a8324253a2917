// Smooth weighted round robin, as in nginx (src/http/ngx_http_upstream_round_robin.c): weights 5, 1, 1 give a a b a c a a.
// For requests that cost about the same; load is ignored.

import type { Candidate, Policy } from '../policy.ts'
import { weightOf } from './weight.ts'

const PICKS_BETWEEN_SWEEPS = 256

interface Turn {
  current: number
  seenAt: number
}

/** Makes a policy that takes the candidates in turn. Each route that it is bound to counts its own turns. */
export function roundRobin(): Policy {
  const turns = new Map<number, Turn>()
  let picks = 0

  function forgetGoneSlots(): void {
    for (const [slot, turn] of turns) {
      if (turn.seenAt <= picks - PICKS_BETWEEN_SWEEPS) turns.delete(slot)
    }
  }

  function preview(candidates: readonly Candidate[]): Candidate | undefined {
    let best: Candidate | undefined
    let most = 0
    for (const candidate of candidates) {
      const current = (turns.get(candidate.slot)?.current ?? 0) + weightOf(candidate)
      if (best !== undefined && current <= most) continue
      best = candidate
      most = current
    }
    return best
  }

  return {
    name: 'round-robin',
    data: 'round-robin',
    binds: () => false,
    preview,
    pick(candidates) {
      if (candidates.length === 0) return undefined
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
    explain(candidates) {
      const next = preview(candidates)
      return next === undefined ? 'no worker is free' : `round robin over ${candidates.length}: slot ${next.slot} is next`
    },
  }
}
