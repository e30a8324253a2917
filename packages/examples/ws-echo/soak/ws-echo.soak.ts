// 500 ws clients with 100 random binary messages each.

import { assert, suite } from '../../../../test/suite.ts'
import { distinct, type RunningExample, startExample } from '../../test-support/start.ts'
import { echoRun } from '../test/echo.ts'

const test = suite('example ws-echo, long', { timeoutMs: 300_000 })
const seed = Number(process.env.SEED ?? 1)
let example: RunningExample

test.before(async () => {
  example = await startExample('ws-echo', { workers: 4 })
})
test.after(() => example.stop())

test('500 clients get 100 binary messages each back, byte for byte', async () => {
  const workers = await echoRun(example, { clients: 500, messages: 100, seed, timeoutMs: 280_000 })
  assert.is(workers.length, 500)
  assert.is(distinct(workers).length, 4)
})

test.run()
