// Many workers start a few at a time, so that each of them has the time that it needs.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { runCommand } from './support/commands.ts'
import { startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('many starts', { timeoutMs: 60_000 })
const folder = temporaryFolder()

/** The lines of the record, and how many workers had started and did not listen yet, at most. */
function recordIn(file: string): { starts: number; most: number } {
  let starting = 0
  let most = 0
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  for (const line of lines) {
    starting += line === 'start' ? 1 : -1
    most = Math.max(most, starting)
  }
  return { starts: lines.filter((line) => line === 'start').length, most }
}

test('no more than startsAtOnce at the same time, also when the pool grows, and all of them come up', async () => {
  const record = join(folder, 'record')
  const config = { app: 'start-record-app.mjs', startsAtOnce: 3, pools: { web: { workers: 6 } } }
  const balancer = await startBalancer({ config, env: { RECORD: record } })
  await balancer.untilAllReady()
  assert.is((await runCommand(balancer, ['scale', 'web', '9'])).code, 0)
  await balancer.untilAllReady()
  const { starts, most } = recordIn(record)
  assert.is(starts, 9)
  assert.ok(most <= 3, `${most} at once`)
  assert.is((await balancer.status()).pools[0]?.ready, 9)
  assert.is(await balancer.stop(), 0)
})

test('a pool whose first workers all fail gives up without trying the others', async () => {
  const record = join(folder, 'failed')
  const config = { app: 'start-record-app.mjs', startsAtOnce: 2, pools: { web: { workers: 20 } } }
  const failure = await startBalancer({ config, env: { RECORD: record, FAIL: '1' } }).catch((error: Error) => error)
  assert.instance(failure, Error)
  assert.is(readFileSync(record, 'utf8').trimEnd().split('\n').length, 2)
})

test.run()
