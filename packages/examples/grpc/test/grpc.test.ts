// What the README promises: one connection reaches both pools, heavy calls reach every worker of theirs, and a reload loses no call.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until } from '../../../../test/support/until.ts'
import { type RunningExample, startExample } from '../../test-support/start.ts'

const test = suite('example grpc', { timeoutMs: 40_000 })
const client = fileURLToPath(new URL('../client.js', import.meta.url))
let example: RunningExample
let port: string

interface Output {
  readonly order: number
  readonly peer: string
  readonly steps: string[]
  readonly prices: number[]
  readonly quotes: number[]
  readonly months: string[]
  readonly reports: number[]
}

async function run(): Promise<Output> {
  const { stdout } = await promisify(execFile)(process.execPath, [client], {
    env: { ...process.env, PORT: port },
    timeout: patience(20_000),
  })
  return JSON.parse(stdout) as Output
}

test.before(async () => {
  port = String(await freePort())
  example = await startExample('grpc', { workers: 4, args: [], env: { PORT: port } })
})
test.after(() => example.stop())

test('one connection reaches both pools, and heavy calls reach both workers of theirs', async () => {
  // The first calls show the worker that they are heavy.
  const { order, peer, steps, prices, quotes, months, reports } = await until(async () => {
    const output = await run()
    return output.reports.length === 2 && output.quotes.length === 2 ? output : undefined
  }, 30_000)
  assert.not(reports.some((pid) => quotes.includes(pid)))
  assert.ok(quotes.includes(order))
  assert.equal(prices.slice(0, 3), [250, 500, 750])
  assert.match(peer, /127\.0\.0\.1:\d+$/)
  assert.equal(steps, ['packed', 'sent', 'delivered'])
  assert.is(months.length, 12)
})

test('a reload loses no call', async () => {
  let isOver = false
  const reloaded = example.child.untilOutput(/reload: \d+ workers/, 20_000).then(() => {
    isOver = true
  })
  example.child.process.kill('SIGHUP')
  while (!isOver) assert.is((await run()).months.length, 12)
  await reloaded
})

test.run()
