// Stretches time limits. A limit is written for a quiet machine, and stretched here on a slow or shared one. A wait that succeeds ends at
// once, so patience costs only where something is wrong. Show that something was not late by the order of events, never by a short limit.

const TIMES = 8

/** The limit of a wait, from its value on a quiet machine. Milliseconds. */
export function patience(quietMs: number): number {
  return quietMs * TIMES
}
