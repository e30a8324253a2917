// A new primary takes the place of the old one, and no client notices.

import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { fixture, movesConnections, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { firstEnded, startUpgradable, SteadyLoad, stopLast, successorsOf, tryUpgrade, upgrade } from './support/upgrades.ts'

const test = suite('upgrade', { timeoutMs: 60_000 })
const KEEP = { Connection: 'keep-alive' }
const config = { app: 'expect-app.mjs', pools: { web: { workers: 2 } } }

test('under requests on kept-alive and new connections none fails', async () => {
  const balancer = await startUpgradable({ config })
  const load = new SteadyLoad(balancer.port, { kept: 8, fresh: 4, idle: 24 })
  await load.more(300)
  for (let turn = 0; turn < 2; turn++) {
    const pid = await upgrade(balancer)
    await until(() => !isAlive(turn === 0 ? balancer.pid : (successorsOf(balancer)[0] as number)), 15_000, 'the end of the one before')
    assert.is((await balancer.status()).pools[0]?.ready, 2)
    assert.ok(isAlive(pid))
    await load.more(300)
  }
  const { requests, faults } = await load.stop()
  assert.equal(faults, [], balancer.child.output())
  assert.ok(requests >= 900, `${requests}`)
  assert.is(await firstEnded(balancer), 0)
  await stopLast(balancer)
})

test.run()

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
