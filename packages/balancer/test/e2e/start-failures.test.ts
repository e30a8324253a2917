// Workers that can't be started, because the system refuses: the others serve on, the log and the status tell why, and it is tried again.

import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { fixture, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('start failures', { timeoutMs: 60_000 })

/** More than one variable of an environment may hold. */
const TOO_LARGE = 'x'.repeat(200_000)

function configWith(env: Record<string, string>) {
  return { app: 'echo-app.mjs', pools: { web: { workers: 2, env } }, restartDelayMs: 50, maxRestartDelayMs: 200, drainTimeoutMs: 3000 }
}

async function pidsOf(balancer: RunningBalancer): Promise<number[]> {
  return (await balancer.status()).pools.flatMap(({ workers }) => workers.map(({ pid }) => pid)).sort()
}

for (const channel of hasNative() ? ['native', 'portable'] : ['portable']) {
  test(`${channel}: a reload whose workers can't be started fails, and nothing else is different`, async () => {
    const balancer = await startBalancer({ config: configWith({}), env: { SWITCHYARD_CHANNEL: channel } })
    await balancer.untilAllReady()
    const [before, descriptors] = [await pidsOf(balancer), balancer.descriptors]
    balancer.configure(configWith({ LARGE: TOO_LARGE }))
    for (let times = 0; times < 3; times++) {
      const { code, err } = await runCommand(balancer, ['reload'])
      assert.is(code, 6)
      assert.match(err, /could not be started: spawn E2BIG; its arguments and environment are too large/)
    }
    assert.equal(await pidsOf(balancer), before)
    await balancer.untilDescriptors(descriptors)
    balancer.configure(configWith({}))
    assert.is((await runCommand(balancer, ['reload'])).code, 0)
    process.kill((await pidsOf(balancer))[0] as number, 'SIGKILL')
    await balancer.untilLine(({ msg }) => /was ended by SIGKILL/.test(msg), 'the end of a worker')
    await balancer.untilAllReady()
    assert.is((await exchange(balancer.port, get('/'))).status, 200)
    assert.is(await balancer.stop(8000), 0)
  })

  test(`${channel}: a worker that can't be replaced is missing, which is shown, until it can`, async () => {
    const folder = temporaryFolder()
    const { pools, ...config } = configWith({})
    const balancer = await startBalancer({
      config: { ...config, pools: { web: { ...pools.web, cwd: folder } } },
      env: { SWITCHYARD_CHANNEL: channel },
    })
    await balancer.untilAllReady()
    const descriptors = balancer.descriptors
    rmSync(folder, { recursive: true })
    const [first] = await pidsOf(balancer)
    process.kill(first as number, 'SIGKILL')
    const line = await balancer.untilLine(({ msg }) => /could not be started: spawn .*ENOENT/.test(msg), 'the failure')
    assert.match(line.msg, /^web\/[01] could not be started: .*'cwd' is gone.*; next try in \d+ ms$/)
    await balancer.untilStatus(({ pools: [web] }) => (web?.notStarted[0]?.times ?? 0) >= 2 && web?.ready === 1, 'two failures in a row')
    const { out } = await runCommand(balancer, ['status'])
    assert.match(out, /web\/[01] could not be started, \d+ times: spawn .*ENOENT.*Next try in/)
    assert.is((await balancer.status()).pools[0]?.workers.length, 1, 'there is no worker without a process')
    assert.is((await exchange(balancer.port, get('/'))).status, 200)
    mkdirSync(folder)
    await balancer.untilAllReady()
    assert.equal((await balancer.status()).pools[0]?.notStarted, [])
    await balancer.untilDescriptors(descriptors)
    assert.is(await balancer.stop(8000), 0)
  })
}

test('the first start of all may fail: one line, and no stack', async () => {
  const balancer = await startBalancer({ config: configWith({ LARGE: TOO_LARGE }), wait: false })
  assert.is(await balancer.ended(), 4, balancer.child.output())
  assert.match(balancer.child.stderr(), /^balancer: no worker of pool 'web' came up \(.*\): spawn E2BIG; .*\(ERR_APP_FAILED\)\n$/)
})

test('a folder of private sockets that was cleared away: workers are replaced, and forward to each other again', async () => {
  const balancer = await startBalancer({
    config: {
      app: 'echo-app.mjs',
      pools: { web: { workers: 1 }, other: { workers: 1, app: fixture('echo-app.mjs') } },
      routes: [{ path: '/other/*', pool: 'other' }],
      restartDelayMs: 20,
    },
  })
  await balancer.untilAllReady()
  const before = await pidsOf(balancer)
  const roots = () => readdirSync(balancer.temporary).filter((name) => /^switchyard-\w{6}$/.test(name))
  const [old] = roots()
  rmSync(join(balancer.temporary, old as string), { recursive: true })
  await until(async () => (await pidsOf(balancer)).every((pid) => !before.includes(pid)), 30_000, 'other workers')
  await balancer.untilLine(({ msg }) => /the folder of the workers' private sockets was removed/.test(msg), 'what has happened')
  await balancer.untilAllReady()
  assert.is.not(roots()[0], old)
  assert.is(roots().length, 1)
  // Two requests at once, to both pools, on one connection: the second can't move.
  const client = new RawClient(balancer.port)
  client.write(get('/', { Connection: 'keep-alive' }) + get('/other/x', { Connection: 'keep-alive' }))
  assert.equal([(await client.answer()).status, (await client.answer()).status], [200, 200])
  client.destroy()
  assert.is(await balancer.stop(), 0)
  assert.equal(roots(), [])
})

test.run()
