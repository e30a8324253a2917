// Pools that do not listen: their workers are supervised, scaled, reloaded, upgraded and stopped like servers.

import { assert, suite } from '../../../../test/suite.ts'
import type { BalancerConfig, PoolConfig } from '../../src/config/config.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'
import { firstEnded, startUpgradable, stopServing, untilGone, upgrade } from './support/upgradable-balancer.ts'

const test = suite('background processes', { timeoutMs: 40_000 })

const consumers = (changes: PoolConfig = {}): PoolConfig => ({ app: 'consumer-app.mjs', workers: 2, listens: false, ...changes })
const onlyConsumers = (changes: PoolConfig = {}): BalancerConfig => ({
  app: 'consumer-app.mjs',
  listen: undefined,
  pools: { queue: consumers(changes) },
})
const appLines = (balancer: RunningBalancer, pool = 'queue') =>
  balancer.lines.filter((line) => line.pool === pool && line.stream !== undefined).map(({ msg }) => msg)
const pidsOf = async (balancer: RunningBalancer, pool = 'queue') =>
  (await balancer.status()).pools.find(({ name }) => name === pool)?.workers.map(({ pid }) => pid) ?? []

test('beside a server: they start, are scaled and restarted, report memory, and never get a request', async () => {
  const config = { app: 'echo-app.mjs', pools: { queue: consumers(), web: { workers: 1 } } }
  const balancer = await startBalancer({ config })
  await balancer.untilAllReady()
  for (let request = 0; request < 5; request++) assert.is((await exchange(balancer.port, get('/'))).status, 200)
  assert.equal(
    appLines(balancer)
      .filter((line) => line.startsWith('app: begins'))
      .sort(),
    ['app: begins 0 0 0', 'app: begins 1 1 0'],
  )
  const scaled = await runCommand(balancer, ['scale', 'queue', '3'])
  assert.is(scaled.code, 0, scaled.err)
  const [first] = await pidsOf(balancer)
  process.kill(first as number, 'SIGKILL')
  await balancer.untilStatus(({ pools }) => pools[0]?.ready === 3 && pools[0].workers.some(({ restarts }) => restarts === 1), 'the restart')
  const { pools } = await balancer.untilStatus(
    (status) => status.pools[0]?.workers.every(({ load }) => load.memoryBytes > 0) === true,
    'reports',
  )
  assert.is(pools[0]?.listens, false)
  assert.ok(pools[0]?.workers.every(({ handOffs }) => handOffs === 0))
  assert.is(await balancer.stop(), 0)
  assert.is(appLines(balancer).filter((line) => line === 'app: SIGTERM').length, 3)
})

test('without any server: reloads, drain hooks, and an upgrade', async () => {
  const balancer = await startUpgradable({ config: onlyConsumers({ env: { MODE: 'drains' } }) })
  const before = await pidsOf(balancer)
  const reload = await runCommand(balancer, ['reload'])
  assert.is(reload.code, 0, reload.err)
  const between = await pidsOf(balancer)
  assert.not.ok(between.some((pid) => before.includes(pid)))
  assert.is(appLines(balancer).filter((line) => line === 'app: drained').length, 2)
  const old = balancer.pid
  await upgrade(balancer)
  await untilGone(old)
  assert.is(await firstEnded(balancer), 0)
  assert.not.ok((await pidsOf(balancer)).some((pid) => between.includes(pid)))
  assert.is(appLines(balancer).filter((line) => line === 'app: drained').length, 4)
  await stopServing(balancer)
})

test('a consumer whose loop hangs is replaced', async () => {
  const balancer = await startBalancer({ config: { ...onlyConsumers({ workers: 1, env: { MODE: 'hangs' } }), hangTimeoutMs: 600 } })
  await balancer.untilLine(({ msg }) => /^queue\/0 hangs:/.test(msg), 'the hang')
  await balancer.untilLine(({ pool, signal }) => pool === 'queue' && signal === 'SIGKILL', 'its end')
  assert.ok(appLines(balancer).filter((line) => line.startsWith('app: begins')).length >= 2)
  await balancer.stop()
})

test('a reload to code that fails at its start changes nothing', async () => {
  const balancer = await startBalancer({ config: onlyConsumers() })
  await balancer.untilAllReady()
  const before = await pidsOf(balancer)
  balancer.configure(onlyConsumers({ env: { MODE: 'throws' }, reload: { settleMs: 500 } }))
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 6)
  assert.match(err, 'no queue')
  assert.equal((await pidsOf(balancer)).sort(), before.sort())
  await balancer.stop()
})

test("readyWhen: 'message' waits for process.send('ready'), in a pool that listens too", async () => {
  const pools = {
    web: { app: 'announcing-app.mjs', workers: 1, readyWhen: 'message' },
    queue: consumers({ workers: 1, readyWhen: 'message', env: { MODE: 'message' } }),
  }
  const balancer = await startBalancer({ config: { app: 'announcing-app.mjs', pools } })
  const { lines } = balancer
  const ready = (pool: string) => lines.findIndex((line) => line.pool === pool && line.msg.includes(' ready after '))
  const said = lines.findIndex(({ msg }) => msg === 'app: says ready')
  assert.ok(said >= 0 && ready('web') > said)
  assert.ok(Number(lines[ready('queue')]?.startMs) >= 600)
  await balancer.stop()
})

test('without the message the start fails, and says what is missing', async () => {
  const config = { ...onlyConsumers({ workers: 1, readyWhen: 'message' }), startTimeoutMs: 500 }
  const balancer = await startBalancer({ config, wait: false })
  assert.is(await balancer.ended(), 4)
  assert.match(balancer.child.output(), "process.send('ready')")
})

test("shutdownMessage: the app gets 'shutdown' and ends by itself, without the signal's default action", async () => {
  const balancer = await startBalancer({ config: onlyConsumers({ workers: 1, shutdownMessage: true, env: { MODE: 'shutdown' } }) })
  assert.is(await balancer.stop(), 0)
  assert.equal(appLines(balancer).slice(1), ['app: shutdown', 'app: closed'])
  assert.ok(balancer.lines.some(({ msg }) => msg.startsWith('queue/0 has stopped')))
})

test('an exit with one of stopExitCodes is final until a restart', async () => {
  const config: BalancerConfig = {
    app: 'echo-app.mjs',
    pools: { web: { workers: 1 }, queue: consumers({ workers: 1, stopExitCodes: [3], env: { MODE: 'ends' } }) },
  }
  const balancer = await startBalancer({ config })
  const { pools } = await balancer.untilStatus((status) => status.pools[1]?.finished.length === 1, 'the end')
  assert.equal(pools[1]?.workers, [])
  await balancer.untilLine(({ msg }) => /^queue\/0 exited with code 3 .*not started again/.test(msg), 'its line')
  const status = await runCommand(balancer, ['status'])
  assert.match(status.out, 'queue/0 has ended for good')
  const restart = await runCommand(balancer, ['restart', 'queue/0'])
  assert.is(restart.code, 0, restart.err)
  await balancer.untilStatus(() => appLines(balancer).filter((line) => line.startsWith('app: begins')).length === 2, 'the second process')
  assert.is(await balancer.stop(), 0)
})

test.run()
