// The long form of test/forward-load.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { loadForwards } from '../test/support/forward-load.ts'

const COUNT = 100_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`forwards, seed ${seed}`, { timeoutMs: 20 * 60_000 })

test(`${COUNT} forwarded requests, one in ten broken off: descriptors, sockets and listeners are back where they were`, async () => {
  const { faults, ...totals } = await loadForwards(COUNT, seed)
  console.log(`seed ${seed}: ${JSON.stringify(totals)}`)
  assert.equal(faults.slice(0, 10), [])
  assert.is(totals.requests, COUNT)
  assert.ok(totals.hungUp > COUNT * 0.02 && totals.cut > COUNT * 0.02, 'few were broken off')
})

test.run()
