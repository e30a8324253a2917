// Repeatable chance: mulberry32 (Tommy Ettinger, 2017, public domain), 32 bits of state.

/** A function like Math.random whose numbers follow from `seed`. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The seed of random tests that draw with fast-check: the same in each run, unless SEED is set. */
export const chosenSeed = Number(process.env.SEED ?? 1)

/** How many random cases a test draws: `usual`, unless RUNS is set. */
export function chosenRuns(usual: number): number {
  return Number(process.env.RUNS ?? usual)
}
