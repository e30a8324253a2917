// The long form of e2e/http2-streams.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { streamRun } from '../test/e2e/support/stream-run.ts'

const COUNT = 100_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`streams, seed ${seed}`, { timeoutMs: 50 * 60_000 })

test(`${COUNT} streams of one connection to two pools and eight sticky sessions: none wrong, none lost, no descriptor left`, async () => {
  const outcome = await streamRun({ streams: COUNT, seed })
  console.log(JSON.stringify(outcome))
  const { right, faults, workers, descriptors } = outcome
  assert.equal([right, faults, workers], [COUNT, {}, 3])
  assert.ok(descriptors.after <= descriptors.before, `${descriptors.before} descriptors before, ${descriptors.after} after`)
})

test.run()
