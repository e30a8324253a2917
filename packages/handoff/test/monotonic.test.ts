// Times of the machine's monotonic clock, as 32-bit words.

import { assert, suite } from '../../../test/suite.ts'
import { elapsedMs, monotonicUs } from '../src/monotonic.ts'

const test = suite('monotonic')

test('the time between two moments, also where the word wraps', () => {
  assert.is(elapsedMs(1_000, 3_500), 2.5)
  assert.is(elapsedMs(7, 7), 0)
  assert.is(elapsedMs(2 ** 31 - 500, (2 ** 31 + 500) | 0), 1)
  assert.is(elapsedMs(-500, 500), 1)
})

test('no time lies between a moment and an earlier one', () => assert.is(elapsedMs(3_500, 1_000), undefined))

test('a word that goes on', () => {
  const first = monotonicUs()
  const ms = elapsedMs(first, monotonicUs()) ?? Number.NaN
  assert.is(first, first | 0)
  assert.ok(ms >= 0 && ms < 60_000)
})

test.run()
