// A killed worker loses no request that it had not started.

import { assert, suite } from '../../../../test/suite.ts'
import { killUnderLoad } from './support/kill-run.ts'

const test = suite('kills', { timeoutMs: 60_000 })

test('6 workers killed during hand-offs: no unstarted request is lost, none starts twice, no descriptor leaks', async () => {
  const { kills, takenBack, faults } = await killUnderLoad(6, 7)
  assert.equal(faults, [])
  assert.is(kills, 6)
  assert.ok(takenBack > 0, 'no hand-off was on its way')
})

test.run()
