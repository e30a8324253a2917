// A worker that has just come up is cold: nothing is compiled, no cache is filled. So it may have less than its share at first. Envoy's formula
// (docs, "Slow start mode"): weight × max(least, (elapsed / window) ^ (1 / aggression)).

export interface SlowStart {
  /** For how long. */
  readonly windowMs: number
  /** The part of its weight that it has at least, above 0, at most 1. */
  readonly from: number
  /** 1: it grows evenly; more: quickly at first; less: slowly at first. */
  readonly aggression: number
}

/** The part of its weight, above 0, at most 1, that a worker has so many milliseconds after it became ready. */
export function slowStartShare(elapsedMs: number, { windowMs, from, aggression }: SlowStart): number {
  if (elapsedMs >= windowMs) return 1
  // A clock that is set back makes nobody younger than new.
  return Math.max(from, (Math.max(elapsedMs, 0) / windowMs) ** (1 / aggression))
}
