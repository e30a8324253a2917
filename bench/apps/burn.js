// Work that burns CPU: so many turns of a loop. A run of the bench finds out how many take a millisecond, and every contender is asked for as many.

/** Returns what it has reckoned: a caller that looks at it keeps the loop from being left out. */
export function burn(loops) {
  let sum = 0
  for (let turn = 0; turn < loops; turn += 1) sum += Math.sqrt(turn)
  return sum
}
