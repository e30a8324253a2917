// How long the tests wait. A bound is written as it is on a quiet machine, and stretched here for one that is slow or shared. A wait that is met
// ends at once, so patience costs only where something is wrong. What must not be late is told by the order of events, never by a short bound.

const TIMES = 8

/** The bound of a wait, from what it is on a quiet machine. Milliseconds. */
export function patience(quietMs: number): number {
  return quietMs * TIMES
}
