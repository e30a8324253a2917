// Faults at random moments: only requests that had started in a killed worker are lost, and the pools are soon complete again.

import { assert, suite } from '../../../../test/suite.ts'
import { runChaos } from './support/chaos-run.ts'

const SEED = 7
const test = suite(`chaos, seed ${SEED}`, { timeoutMs: 120_000 })

test('15 seconds of chaos: only requests that had started in a killed worker are lost', async () => {
  const { faults, ...totals } = await runChaos({ seed: SEED, durationMs: 15_000, visitors: 8, longestBusyMs: 2_000, operationEvery: 4 })
  assert.equal(faults, [])
  assert.ok(totals.rounds > 0 && totals.answered > 100, JSON.stringify(totals))
})

test.run()
