// An app in a worker starts and exits as under plain Node. It gets its stop signal once, when no connection is left, and has time to clean up.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { PoolConfig } from '../../src/config/config.ts'
import { once } from './support/once.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('life of an app', { timeoutMs: 40_000 })

/** The app of each pool ends in another way. */
const ENDINGS = {
  closes: 'close',
  exits: 'exit',
  none: 'none',
  alone: 'close SIGINT',
  named: 'close SIGHUP',
  group: 'close',
  slow: 'slow',
  never: 'never',
  unasked: 'close',
}
type Pool = keyof typeof ENDINGS
const MORE: Partial<Record<Pool, PoolConfig>> = { named: { stopSignal: 'SIGHUP' }, never: { stopTimeoutMs: 200 } }

const start = once(async () => {
  const names = Object.keys(ENDINGS) as Pool[]
  const pools = names.map((name) => [name, { workers: 1, env: { ENDING: ENDINGS[name] }, ...MORE[name] }])
  const routes = names.map((pool) => ({ path: `/${pool}/*`, pool }))
  const balancer = await startBalancer({ config: { app: 'ending-app.mjs', pools: Object.fromEntries(pools), routes } })
  await balancer.untilAllReady()
  return balancer
})

/** What the app and its worker did so far: the lines of the app, and the end of the worker. */
interface Life {
  readonly app: readonly string[]
  readonly end: string | undefined
}

function lifeOf({ lines }: RunningBalancer, pool: Pool): Life {
  const own = lines.filter((line) => line.pool === pool)
  const app = own.flatMap(({ msg }) => (msg.startsWith('app: ') ? [msg.slice(5)] : []))
  const end = own.find(({ msg }) => /^\w+\/0 (exited|has stopped|was ended)/.test(msg))
  return { app, end: end && `${end.level} ${end.msg.replace(/ \(pid .*/, '').replace(`${pool}/0 `, '')}` }
}

const ask = async (balancer: RunningBalancer, path: string) => (await exchange(balancer.port, get(path))).body.toString()

const readBytes = once(async () => ask(await start(), '/exits/read'))

/** The app of `unasked` closes its server, and its worker is replaced. */
const closeUnasked = once(async () => {
  const balancer = await start()
  await exchange(balancer.port, get('/unasked/end', { Connection: 'close' }))
  await until(() => lifeOf(balancer, 'unasked').end, 10_000, 'the exit')
  const life = lifeOf(balancer, 'unasked')
  await balancer.untilAllReady()
  return life
})

/** The signals that a supervisor sends to each process of a group. */
const signalGroup = once(async () => {
  const balancer = await start()
  const { pools } = await balancer.status()
  const pid = pools.find(({ name }) => name === 'group')?.workers[0]?.pid as number
  process.kill(pid, 'SIGTERM')
  process.kill(pid, 'SIGINT')
  return { answer: await ask(balancer, '/group/'), life: lifeOf(balancer, 'group') }
})

/** Stops all pools at once, after what has to come before. */
const stop = once(async () => {
  const balancer = await start()
  await Promise.all([closeUnasked(), signalGroup(), readBytes(), ask(balancer, '/closes/')])
  assert.is(await balancer.stop(), 0)
  return (pool: Pool) => lifeOf(balancer, pool)
})

test('an app that closes its server exits by itself with its own exit code', async () => {
  const { app, end } = (await stop())('closes')
  assert.equal(app, ['heard SIGTERM, listening true', 'closed well, listening false', 'beforeExit 3', 'exit 3'])
  assert.is(end, '30 exited with code 3')
})

test('bytes that the primary has read count as read in the worker’s socket', async () => {
  assert.is(await readBytes(), String(get('/exits/read').length))
})

test('an app that calls process.exit exits; an app without a signal handler is ended by the signal', async () => {
  const life = await stop()
  assert.equal([life('exits').end, life('none').end], ['30 has stopped', '30 has stopped'])
  assert.equal(life('none').app, [])
})

test('the stop signal is the one that the app handles, or the one of the config', async () => {
  const life = await stop()
  assert.equal([life('alone').app[0], life('named').app[0]], ['heard SIGINT, listening true', 'heard SIGHUP, listening true'])
})

test('a signal to the whole process group reaches the app once, after the drain', async () => {
  const { answer, life } = await signalGroup()
  assert.equal([answer, life.app], ['ok', []])
  const { app } = (await stop())('group')
  assert.equal(
    app.filter((line) => line.startsWith('heard')),
    ['heard SIGTERM, listening true'],
  )
})

test('the app may clean up until the drain timeout', async () => {
  assert.is((await stop())('slow').end, '30 exited with code 7')
})

test('or until the stop timeout of its pool', async () => {
  assert.is((await stop())('never').end, '30 was ended by SIGKILL')
  const { lines } = await start()
  assert.ok(lines.some(({ level, msg }) => level === 40 && /never.*it did not exit within 200 ms after it was told to stop/.test(msg)))
})

test('an app that closes its server unasked exits as well, and its worker is replaced', async () => {
  const { app, end } = await closeUnasked()
  assert.is(end?.replace(/;.*/, ''), '40 exited with code 3')
  assert.equal(app, ['beforeExit 3', 'exit 3'])
})

test.run()
