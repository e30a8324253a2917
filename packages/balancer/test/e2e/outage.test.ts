// A dependency of every worker is down for longer than restarts continue, and comes back.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('outage', { timeoutMs: 60_000 })

async function startWith(onOutage: 'retry' | 'not-live' | 'exit' | undefined): Promise<{ balancer: RunningBalancer; down: string }> {
  const down = join(temporaryFolder(), 'down')
  const config: BalancerConfig = {
    app: 'outage-app.mjs',
    pools: { web: { workers: 2, env: { DOWN: down }, onOutage } },
    ...{ maxRestarts: 3, restartDelayMs: 10, maxRestartDelayMs: 50 },
  }
  const balancer = await startBalancer({ config })
  await balancer.untilAllReady()
  return { balancer, down }
}

async function livez(balancer: RunningBalancer): Promise<[number, string]> {
  const page = String(balancer.lines.find(({ msg }) => msg.startsWith('ready:'))?.metrics).replace('/metrics', '/livez')
  const answer = await fetch(page)
  return [answer.status, await answer.text()]
}

for (const onOutage of [undefined, 'not-live'] as const) {
  test(`${onOutage ?? 'retry'}: the outage is reported, and every worker restarts by itself when the dependency is back`, async () => {
    const { balancer, down } = await startWith(onOutage)
    writeFileSync(down, '')
    const line = await balancer.untilLine(({ msg }) => msg.startsWith('web has no workers'), 'the outage')
    assert.match(
      line.msg,
      /each of them has failed too often \(database is down; exit code 1\)\. The balancer tries to start one every 1 s/,
    )
    await balancer.untilStatus(({ pools: [web] }) => web?.outageMs !== null && web?.broken.length === 2, 'the status')
    assert.match((await runCommand(balancer, ['status'])).out, /web has had no worker for .*keeps trying to start one/)
    assert.equal(await livez(balancer), onOutage === undefined ? [200, 'ok\n'] : [503, 'pool web: every worker has failed too often\n'])
    rmSync(down)
    await balancer.untilAllReady(20_000)
    await balancer.untilLine(({ msg }) => /^web serves again, after/.test(msg), 'the end of the outage')
    const { pools, live } = await balancer.status()
    assert.equal([pools[0]?.broken, pools[0]?.outageMs, live], [[], null, true])
    assert.is((await exchange(balancer.port, get('/'))).status, 200)
    assert.is(await balancer.stop(), 0)
  })
}

test('exit: the balancer exits, so that a service manager restarts it', async () => {
  const { balancer, down } = await startWith('exit')
  writeFileSync(down, '')
  assert.is(await balancer.ended(20_000), 4)
  assert.ok(balancer.lines.some(({ msg }) => /every worker of pool 'web' has failed too often, and its 'onOutage' is 'exit'/.test(msg)))
})

test.run()
