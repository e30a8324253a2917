// Incomplete heads do not slow down other clients, and time out.

import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { holdHalfHeads } from './support/half-head-run.ts'

const COUNT = 400
const test = suite('incomplete heads', { timeoutMs: 60_000 })

test('400 incomplete heads: another client is served meanwhile, and each gets a 408 at its deadline', async () => {
  // A slow machine needs longer to connect all of them.
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
