// How many streams a client may reset.

import { assert, suite } from '../../../../test/suite.ts'
import { ResetRate } from '../../src/http2/reset-rate.ts'

const test = suite('resets')
const limits = { maxResetsPerMinute: 600, maxResetsAtOnce: 100 }

/** The number of resets, `everyMs` apart, up to the first that is one too many; undefined: none of 2,000 is. */
function lastOf(hasBegun: boolean, everyMs: number): number | undefined {
  const rate = new ResetRate(limits)
  for (let count = 1; count <= 2000; count++) if (rate.isTooHigh(hasBegun, count * everyMs)) return count
  return undefined
}

const table: [what: string, hasBegun: boolean, everyMs: number, expected: number | undefined][] = [
  ['streams that the app had, at once', true, 0, 601],
  ['streams that the app did not have, at once', false, 0, 101],
  ['streams that the app did not have, as many as allowed in a second', false, 10, 601],
  ['streams that the app did not have, a few of them', false, 101, undefined],
  ['streams that the app had, in a minute', true, 90, 601],
  ['streams that the app had, in more than a minute', true, 101, undefined],
]
for (const [what, hasBegun, everyMs, expected] of table) test(what, () => assert.is(lastOf(hasBegun, everyMs), expected))

test('after a pause, a client may reset as many at once again', () => {
  const rate = new ResetRate(limits)
  for (let count = 0; count < 100; count++) assert.is(rate.isTooHigh(false, 0), false)
  for (let count = 0; count < 100; count++) assert.is(rate.isTooHigh(false, 10_000), false)
  assert.is(rate.isTooHigh(false, 10_000), true)
})

test.run()
