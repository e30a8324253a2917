// The short form of soak/ws-echo.soak.ts.

import { assert, suite } from '../../../../test/suite.ts'
import { distinct, type RunningExample, startExample } from '../../test-support/start.ts'
import { echoRun } from './echo.ts'

const test = suite('example ws-echo', { timeoutMs: 20_000 })
const seed = Number(process.env.SEED ?? 1)
let example: RunningExample

test.before(async () => {
  example = await startExample('ws-echo', { workers: 4 })
})
test.after(() => example.stop())

test('100 clients get 20 binary messages each back, byte for byte, from four workers', async () => {
  const workers = await echoRun(example, { clients: 100, messages: 20, seed, timeoutMs: 15_000 })
  assert.is(workers.length, 100)
  assert.is(distinct(workers).length, 4)
})

test('open websockets are spread evenly: each counts as in flight', async () => {
  const workers = await echoRun(example, { clients: 40, messages: 1, seed, timeoutMs: 15_000 })
  assert.is(distinct(workers).length, 4)
})

test.run()
