// Workers that the system refuses to start: the others serve on, log and status say why, and starting is retried.

import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { once } from './support/once.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { fixture, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('start failures', { timeoutMs: 60_000 })

/** Longer than the kernel allows for one environment variable. */
const TOO_LARGE = 'x'.repeat(200_000)

function configWith(env: Record<string, string>, cwd?: string) {
  return { app: 'echo-app.mjs', pools: { web: { workers: 2, env, cwd } }, restartDelayMs: 50, maxRestartDelayMs: 200, drainTimeoutMs: 3000 }
}

async function pidsOf(balancer: RunningBalancer): Promise<number[]> {
  return (await balancer.status()).pools.flatMap(({ workers }) => workers.map(({ pid }) => pid)).sort()
}

for (const channel of hasNative() ? ['native', 'portable'] : ['portable']) {
  /** Its workers run in a folder of their own. */
  const start = once(async () => {
    const folder = temporaryFolder()
    const balancer = await startBalancer({ config: configWith({}, folder), env: { SWITCHYARD_CHANNEL: channel } })
    await balancer.untilAllReady()
    return { balancer, folder }
  })

  test.after(async () => assert.is(await (await start()).balancer.stop(8000), 0))

  test(`${channel}: a reload whose workers can't be started fails and changes nothing`, async () => {
    const { balancer, folder } = await start()
    const [before, descriptors] = [await pidsOf(balancer), balancer.descriptors]
    balancer.configure(configWith({ LARGE: TOO_LARGE }, folder))
    for (let times = 0; times < 2; times++) {
      const { code, err } = await runCommand(balancer, ['reload'])
      assert.is(code, 6)
      assert.match(err, /could not be started: spawn E2BIG; its arguments and environment are too large/)
    }
    assert.equal(await pidsOf(balancer), before)
    await balancer.untilDescriptors(descriptors)
    balancer.configure(configWith({}, folder))
    assert.is((await runCommand(balancer, ['reload'])).code, 0)
    const [killed] = await pidsOf(balancer)
    process.kill(killed as number, 'SIGKILL')
    await balancer.untilLine(({ pid, msg }) => pid === killed && /was ended by SIGKILL/.test(msg), 'the exit of a worker')
    await balancer.untilAllReady()
    assert.is((await exchange(balancer.port, get('/'))).status, 200)
  })

  test(`${channel}: a worker that can't be replaced is shown as not started, until it can`, async () => {
    const { balancer, folder } = await start()
    const descriptors = balancer.descriptors
    rmSync(folder, { recursive: true })
    const [first] = await pidsOf(balancer)
    process.kill(first as number, 'SIGKILL')
    const line = await balancer.untilLine(({ msg }) => /could not be started: spawn .*ENOENT/.test(msg), 'the failure')
    assert.match(line.msg, /^web\/[01] could not be started: .*'cwd' is gone.*; next try in \d+ ms$/)
    await balancer.untilStatus(({ pools: [web] }) => (web?.notStarted[0]?.times ?? 0) >= 2 && web?.ready === 1, 'two failures in a row')
    const { out } = await runCommand(balancer, ['status'])
    assert.match(out, /web\/[01] could not be started, \d+ times: spawn .*ENOENT.*Next try in/)
    assert.is((await balancer.status()).pools[0]?.workers.length, 1, 'no worker without a process')
    assert.is((await exchange(balancer.port, get('/'))).status, 200)
    mkdirSync(folder)
    await balancer.untilAllReady()
    assert.equal((await balancer.status()).pools[0]?.notStarted, [])
    await balancer.untilDescriptors(descriptors)
  })
}

test('a failed first start prints one line without a stack', async () => {
  const balancer = await startBalancer({ config: configWith({ LARGE: TOO_LARGE }), wait: false })
  assert.is(await balancer.ended(), 4, balancer.child.output())
  assert.match(balancer.child.stderr(), /^balancer: no worker of pool 'web' came up \(.*\): spawn E2BIG; .*\(ERR_APP_FAILED\)\n$/)
})

/** The primary looks for the folder only now and then, so the folder is removed before the other tests. */
const startWithoutFolder = once(async () => {
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
  return { balancer, before, roots, old }
})

test.before(startWithoutFolder)

test('when the folder of private sockets is removed, workers are replaced and forward to each other again', async () => {
  const { balancer, before, roots, old } = await startWithoutFolder()
  await until(async () => (await pidsOf(balancer)).every((pid) => !before.includes(pid)), 30_000, 'replaced workers')
  await balancer.untilLine(({ msg }) => /the folder of the workers' private sockets was removed/.test(msg), 'the notice')
  await balancer.untilAllReady()
  assert.is.not(roots()[0], old)
  assert.is(roots().length, 1)
  // Two pipelined requests to both pools: the connection can't move with the second.
  const client = new RawClient(balancer.port)
  client.write(get('/', { Connection: 'keep-alive' }) + get('/other/x', { Connection: 'keep-alive' }))
  assert.equal([(await client.answer()).status, (await client.answer()).status], [200, 200])
  client.destroy()
  assert.is(await balancer.stop(), 0)
  assert.equal(roots(), [])
})

test.run()
