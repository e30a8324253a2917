// Work that burns CPU: a number of turns of a loop. A run of the bench measures how many take a millisecond, and asks every contender for
// the same count.

/** Returns the result: a caller that uses it keeps the compiler from removing the loop. */
export function burn(loops) {
  let sum = 0
  for (let turn = 0; turn < loops; turn += 1) sum += Math.sqrt(turn)
  return sum
}
