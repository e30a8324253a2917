// The long form of e2e/random-connections.test.ts.

import { suite } from '../../../test/suite.ts'
import { compareConnections } from '../test/e2e/support/connection-comparison.ts'
import { movesConnections } from '../test/e2e/support/running-balancer.ts'

const COUNT = 100_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`random connections, seed ${seed}`, { timeoutMs: 28 * 60_000 })

test(`${COUNT} random connections: every answer is that of the bare app, in its order`, async () => {
  await compareConnections({ count: COUNT, seed })
})

if (movesConnections) {
  test(`${COUNT / 4} random connections that rest in the primary after each answer`, async () => {
    await compareConnections({ count: COUNT / 4, seed, rest: 'always' })
  })
}

test.run()
