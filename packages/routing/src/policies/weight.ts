// What policies share when they compare candidates: weight, slow start, cost, and the order of ties.

import type { Candidate } from '../policy.ts'

const LEAST_WEIGHT = 1e-9

/** The weight, made positive: a candidate of weight 0 is chosen when there is no other. */
export function weightOf(candidate: Pick<Candidate, 'weight'>): number {
  return Math.max(candidate.weight, LEAST_WEIGHT)
}

/** The candidate's load with one more request, relative to its weight: `(inFlight + 1) / weight`. */
export function costOf(candidate: Candidate): number {
  return (candidate.load.inFlight + 1) / weightOf(candidate)
}

/** Breaks a tie: does `slot` come before `other` in the circle of slots after `last`? Without it an idle pool sends everything to its first worker. */
export function comesBefore(slot: number, other: number, last: number): boolean {
  return slot > last === other > last ? slot < other : slot > last
}

/** A new worker has compiled nothing and its caches are empty, so it starts with a part of its weight. */
export interface SlowStart {
  /** Time until the full weight. */
  readonly windowMs: number
  /** The part it starts with, above 0, at most 1. */
  readonly from: number
  /** 1 grows evenly; above 1 grows quickly at first; below 1 slowly at first. */
  readonly aggression: number
}

/**
 * The part of its weight, above 0, at most 1, that a worker has this long after it became ready.
 * Envoy's formula (docs, "Slow start mode"): weight × max(least, (elapsed / window) ^ (1 / aggression)).
 */
export function slowStartShare(elapsedMs: number, { windowMs, from, aggression }: SlowStart): number {
  if (elapsedMs >= windowMs) return 1
  // A clock that was set back gives a negative time.
  return Math.max(from, (Math.max(elapsedMs, 0) / windowMs) ** (1 / aggression))
}
