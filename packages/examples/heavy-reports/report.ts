// A report of the given weight: it counts primes, and nothing else runs in its process until it is done.

export interface Report {
  readonly primes: number
  readonly below: number
  readonly tookMs: number
}

/** Counts primes for `forMs` milliseconds, at most 10,000. Blocks the loop. */
export function computeReport(forMs: number): Report {
  const startedAt = performance.now()
  const endAt = startedAt + Math.min(Math.max(forMs, 0), 10_000)
  let [primes, below] = [0, 2]
  while (performance.now() < endAt) {
    for (const until = below + 1_000; below < until; below++) if (isPrime(below)) primes++
  }
  return { primes, below, tookMs: Math.round(performance.now() - startedAt) }
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false
  return true
}
