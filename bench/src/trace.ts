// What is asked in `mixed`, and when: Poisson arrivals of light and of heavy requests, the same for everybody by its seed. Pure.

import { seededRandom } from '../../test/support/random.ts'

export interface TraceOptions {
  readonly seed: number
  readonly seconds: number
  readonly connections: number
  readonly lightPerSecond: number
  readonly heavyPerSecond: number
}

export interface Arrival {
  /** Since the beginning. */
  readonly atMs: number
  readonly heavy: boolean
  /** On which connection, if it is free then. */
  readonly connection: number
}

/** In order of time. The light ones are the same whatever the heavy ones are. */
export function traceOf({ seed, seconds, connections, lightPerSecond, heavyPerSecond }: TraceOptions): readonly Arrival[] {
  const arrivals = (heavy: boolean, perSecond: number): Arrival[] => {
    const random = seededRandom(seed * 2 + Number(heavy))
    const found: Arrival[] = []
    const gapMs = (): number => (-Math.log(1 - random()) * 1000) / perSecond
    if (perSecond > 0)
      for (let atMs = gapMs(); atMs < seconds * 1000; atMs += gapMs())
        found.push({ atMs, heavy, connection: Math.floor(random() * connections) })
    return found
  }
  return [...arrivals(false, lightPerSecond), ...arrivals(true, heavyPerSecond)].sort((one, other) => one.atMs - other.atMs)
}
