// The short form of soak/http2-streams.soak.ts.

import { assert, suite } from '../../../../test/suite.ts'
import { chosenSeed } from '../../../../test/support/random.ts'
import { streamRun } from './support/stream-run.ts'

const test = suite('streams', { timeoutMs: 120_000 })
const COUNT = 400

test(`${COUNT} streams of one connection to two pools and eight sticky sessions: none wrong, none lost, no descriptor left`, async () => {
  const { right, faults, workers, descriptors } = await streamRun({ streams: COUNT, seed: chosenSeed })
  assert.equal([right, faults, workers], [COUNT, {}, 3])
  assert.ok(descriptors.after <= descriptors.before, `${descriptors.before} descriptors before, ${descriptors.after} after`)
})

test.run()
