// Half-sent heads are held without cost to others, and end in time.

import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { holdHalfHeads } from './support/half-head-run.ts'

const COUNT = 400
const test = suite('half-sent heads', { timeoutMs: 60_000 })

test('400 half-sent heads: others are served meanwhile, and each is told 408 when its time is over', async () => {
  // A slow machine needs longer until all of them are there.
  for (const headTimeoutMs of [1_500, 6_000, 24_000]) {
    const { answered, held, served, shortestMs, faults } = await holdHalfHeads(COUNT, headTimeoutMs, patience(1_000))
    assert.equal(faults, [])
    assert.is(answered, COUNT)
    assert.ok(shortestMs > headTimeoutMs - 100, `one was answered after ${shortestMs} ms`)
    if (held === COUNT && served > 20) return
  }
  assert.unreachable('never were all of them held, and others served, at the same time')
})

test.run()
