// The short form of soak/forward.soak.ts.

import { assert, suite } from '../../../../test/suite.ts'
import { loadForwards } from '../support/forward-load.ts'

const COUNT = 1_000
const SEED = 1
const test = suite('forward: load', { timeoutMs: 60_000 })

test(`${COUNT} forwarded requests, one in ten broken off: no resource is left open`, async () => {
  const { faults, ...totals } = await loadForwards(COUNT, SEED)
  assert.equal(faults.slice(0, 10), [])
  assert.is(totals.requests, COUNT)
  assert.ok(totals.hungUp > COUNT * 0.02 && totals.cut > COUNT * 0.02, JSON.stringify(totals))
  assert.ok(totals.answered + totals.upgraded > COUNT * 0.85, JSON.stringify(totals))
})

test.run()
