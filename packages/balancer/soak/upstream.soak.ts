// The long form of e2e/upstream-load.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { upstreamRun } from '../test/e2e/support/upstream-run.ts'

const COUNT = 100_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`upstream, seed ${seed}`, { timeoutMs: 25 * 60_000 })

test(`${COUNT} exchanges with aborts on either side and servers that are killed`, async () => {
  const { outcomes, faults } = await upstreamRun({ exchanges: COUNT, clients: 32, seed })
  console.log(JSON.stringify(outcomes))
  assert.equal(faults, [])
})

test.run()
