// Work that occupies the loop as computing does, and burns nothing: the work of many cores fits on a few.

import { stat } from 'node:fs'

const neverNotified = new Int32Array(new SharedArrayBuffer(4))

/** Nothing else runs in this process for this time. */
export function occupy(ms) {
  if (ms > 0) Atomics.wait(neverNotified, 0, 0, ms)
}

/**
 * Does the work of a target like `/work?ms=2`, then calls `done`. `ms`: how long the loop is occupied. `timer`: milliseconds before that,
 * as for the answer of a database. `after=io`: the work starts in the callback of an I/O operation. `tell`: `begin` is called just before
 * it.
 */
export function work(target, begin, done) {
  const asked = new URL(target, 'http://localhost').searchParams
  const run = () => {
    if (asked.has('tell')) begin()
    occupy(Number(asked.get('ms')))
    done()
  }
  if (asked.get('after') === 'io') stat('.', run)
  else if (asked.has('timer')) setTimeout(run, Number(asked.get('timer')))
  else run()
}
