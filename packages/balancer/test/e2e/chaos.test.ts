// Whatever happens to workers, and whenever: nobody but those whose requests had begun there notices, and all is soon as before.

import { assert, suite } from '../../../../test/suite.ts'
import { runChaos } from './support/chaos-run.ts'

const SEED = 7
const test = suite(`chaos, seed ${SEED}`, { timeoutMs: 120_000 })

test('15 seconds of chaos: only what had begun in a worker that was hit is lost', async () => {
  const { faults, ...totals } = await runChaos({ seed: SEED, durationMs: 15_000, visitors: 8, longestBusyMs: 2_000, operationEvery: 4 })
  assert.equal(faults, [])
  assert.ok(totals.rounds > 0 && totals.answered > 100, JSON.stringify(totals))
})

test.run()
