// Work that occupies the loop as computing does, and burns nothing: many cores' worth fits on a few.

import { stat } from 'node:fs'

const nobody = new Int32Array(new SharedArrayBuffer(4))

/** Nothing else runs in this process for so long. */
export function occupy(ms) {
  if (ms > 0) Atomics.wait(nobody, 0, 0, ms)
}

/**
 * Does what a target like `/work?ms=2` asks, then calls `done`. `ms`: how long the loop is occupied. `timer`: milliseconds that pass before, as with
 * a database that is asked. `after=io`: it begins in the callback of an I/O operation. `tell`: `begin` is called just before.
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
