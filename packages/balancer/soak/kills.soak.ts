// The long form of e2e/kills.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { killUnderLoad } from '../test/e2e/support/kill-run.ts'

const COUNT = 200
const seed = Number(process.env.SEED ?? 1)
const test = suite(`kills, seed ${seed}`, { timeoutMs: 25 * 60_000 })

test(`${COUNT} workers killed with hand-offs on their way: nothing is lost that had not begun, nothing begins twice, no descriptor leaks`, async () => {
  const { faults, ...totals } = await killUnderLoad(COUNT, seed)
  console.log(`seed ${seed}: ${JSON.stringify(totals)}`)
  assert.equal(faults, [])
  assert.is(totals.kills, COUNT)
  assert.ok(totals.takenBack > COUNT, 'few hand-offs were on their way')
})

test.run()
