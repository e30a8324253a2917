// Random connections: the balanced app answers as the bare app does.

import { suite } from '../../../../test/suite.ts'
import { compareConnections } from './support/connection-comparison.ts'
import { movesConnections } from './support/running-balancer.ts'

const test = suite('random connections', { timeoutMs: 120_000 })

test('200 random connections: every answer is that of the bare app, in order', async () => {
  await compareConnections({ count: 200, seed: 42 })
})

// Over the portable channel no connection rests.
if (movesConnections) {
  test('100 random connections that rest in the primary after each answer', async () => {
    await compareConnections({ count: 100, seed: 43, rest: 'always' })
  })
}

test.run()
