// The order of turns.

/** The order of a round, counted from 1: each round starts with another contender. */
export function inTurn<T>(all: readonly T[], round: number): readonly T[] {
  const first = (round - 1) % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

/** The contenders in the turns of a round: each turn starts with another one. */
export function turnsOf<T>(all: readonly T[], round: number, each: number): readonly T[] {
  return Array.from({ length: each }, (_, index) => inTurn(all, round + index)).flat()
}
