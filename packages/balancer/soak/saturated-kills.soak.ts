// A thousand clients of two workers, which are killed or stopped for a while now and then; each policy for 60 s, or SOAK_SECONDS.

import { assert, suite } from '../../../test/suite.ts'
import { saturateAndKill } from '../test/e2e/support/saturated-kill-run.ts'

const SECONDS = Number(process.env.SOAK_SECONDS ?? 60)
const seed = Number(process.env.SEED ?? 1)
const test = suite(`saturated, with kills, seed ${seed}`, { timeoutMs: 2 * SECONDS * 1000 + 120_000 })

for (const policy of ['least-busy', 'least-in-flight', 'round-robin', { sticky: { by: 'ticket' } }] as const) {
  for (const [ms, isKept] of [
    [0.2, false],
    [0.2, true],
    [1.5, true],
    [7, false],
  ] as const) {
    const named = `${JSON.stringify(policy)}, ${ms} ms, ${isKept ? 'kept-alive' : 'new'} connections`
    test(`${named}: only what a killed worker had begun is lost`, async () => {
      const { faults, ...totals } = await saturateAndKill({ policy, seed, durationMs: SECONDS * 1000, clients: 1_000, ms, isKept })
      console.log(`${named}: ${JSON.stringify(totals)}`)
      assert.equal(faults, [])
      assert.ok(totals.kills + totals.stops > 0, 'no worker was hit')
    })
  }
}

test.run()
