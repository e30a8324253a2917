// The long form of the replay in e2e/decisions.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { replayDecisions } from '../test/e2e/support/decision-run.ts'

const COUNT = Number(process.env.SOAK_REQUESTS ?? 100_000)
const seed = Number(process.env.SEED ?? 1)
const test = suite(`decisions, seed ${seed}`, { timeoutMs: 25 * 60_000 })

test(`${COUNT} decisions under load are explained as they were made`, async () => {
  const { replay, decisions, lost, answered } = await replayDecisions(COUNT, seed)
  console.log(`seed ${seed}: ${JSON.stringify({ decisions, lost, answered, ...Object.fromEntries(replay.byWay) })}`)
  assert.equal(replay.faults.slice(0, 3), [])
  assert.is(lost, 0)
  assert.is(answered, COUNT)
})

test.run()
