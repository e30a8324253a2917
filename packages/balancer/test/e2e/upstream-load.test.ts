// The short form of soak/upstream.soak.ts.

import { assert, suite } from '../../../../test/suite.ts'
import { chosenSeed } from '../../../../test/support/random.ts'
import { upstreamRun } from './support/upstream-run.ts'

const test = suite('upstream load', { timeoutMs: 60_000 })

test('exchanges with aborts on either side and servers that are killed: no leak, no POST twice, no cut answer that looks whole', async () => {
  const { outcomes, faults } = await upstreamRun({ exchanges: 1_500, clients: 16, seed: chosenSeed })
  assert.equal(faults, [], JSON.stringify(outcomes))
  assert.ok((outcomes['200'] ?? 0) > 900, JSON.stringify(outcomes))
})

test.run()
