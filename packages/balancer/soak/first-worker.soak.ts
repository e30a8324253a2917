// The long form of e2e/first-worker.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { watchFirsts } from '../test/e2e/support/first-run.ts'

const COUNT = 500
const seed = Number(process.env.SEED ?? 1)
const test = suite(`the first worker, seed ${seed}`, { timeoutMs: 50 * 60_000 })

test(`${COUNT} kills, hangs, reloads, scales and upgrades: never two, and soon one again`, async () => {
  const { faults, ...totals } = await watchFirsts(COUNT, seed)
  console.log(`seed ${seed}: ${JSON.stringify(totals)}`)
  assert.equal(faults, [])
})

test.run()
