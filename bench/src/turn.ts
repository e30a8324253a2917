// Whose turn it is.

/** The order of a round, counted from 1: another one is first in each. */
export function inTurn<T>(all: readonly T[], round: number): readonly T[] {
  const first = (round - 1) % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

/** Who has which turn of a round, so many each: another one is first each time. */
export function turnsOf<T>(all: readonly T[], round: number, each: number): readonly T[] {
  return Array.from({ length: each }, (_, index) => inTurn(all, round + index)).flat()
}
