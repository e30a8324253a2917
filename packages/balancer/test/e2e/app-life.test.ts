// An app in a worker starts and exits as under plain Node. It gets its stop signal once, when no connection is left, and has time to clean up.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { PoolConfig } from '../../src/config/config.ts'
import { once } from './support/once.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('life of an app', { timeoutMs: 40_000 })

async function start(ending: string, pool: PoolConfig = {}, drainTimeoutMs = 30_000): Promise<RunningBalancer> {
  const pools = { web: { workers: 1, env: { ENDING: ending }, ...pool } }
  return startBalancer({ config: { app: 'ending-app.mjs', drainTimeoutMs, pools } })
}

const appLines = ({ lines }: RunningBalancer): string[] => lines.flatMap(({ msg }) => (msg.startsWith('app: ') ? [msg.slice(5)] : []))
const endOf = ({ lines }: RunningBalancer): string | undefined => {
  const line = lines.find(({ msg }) => /^web\/0 (exited|has stopped|was ended)/.test(msg))
  return line && `${line.level} ${line.msg.replace(/ \(pid .*/, '')}`
}

/** This app needs longer than a worker has at least, so it is told to stop before the other tests. */
const stopSlow = once(async () => {
  const balancer = await start('slow')
  return { balancer, stopped: balancer.stop() }
})

test.before(stopSlow)

test('an app that closes its server exits by itself with its own exit code', async () => {
  const balancer = await start('close')
  await exchange(balancer.port, get('/'))
  assert.is(await balancer.stop(), 0)
  assert.equal(appLines(balancer), ['heard SIGTERM, listening true', 'closed well, listening false', 'beforeExit 3', 'exit 3'])
  assert.is(endOf(balancer), '30 web/0 exited with code 3')
})

test('bytes that the primary has read count as read in the worker’s socket', async () => {
  const balancer = await start('exit')
  const request = get('/read')
  assert.is(String((await exchange(balancer.port, request)).body), String(request.length))
  assert.is(await balancer.stop(), 0)
})

test('an app that calls process.exit exits; an app without a signal handler is ended by the signal', async () => {
  const [exits, none] = await Promise.all([start('exit'), start('none')])
  assert.equal(await Promise.all([exits.stop(), none.stop()]), [0, 0])
  assert.equal([endOf(exits), endOf(none)], ['30 web/0 has stopped', '30 web/0 has stopped'])
  assert.equal(appLines(none), [])
})

test('the stop signal is the one that the app handles, or the one of the config', async () => {
  const [alone, named] = await Promise.all([start('close SIGINT'), start('close SIGHUP', { stopSignal: 'SIGHUP' })])
  assert.equal(await Promise.all([alone.stop(), named.stop()]), [0, 0])
  assert.equal([appLines(alone)[0], appLines(named)[0]], ['heard SIGINT, listening true', 'heard SIGHUP, listening true'])
})

test('a signal to the whole process group reaches the app once, after the drain', async () => {
  const balancer = await start('close')
  const pid = (await balancer.status()).pools[0]?.workers[0]?.pid as number
  process.kill(pid, 'SIGTERM')
  process.kill(pid, 'SIGINT')
  assert.is(String((await exchange(balancer.port, get('/'))).body), 'ok')
  assert.equal(appLines(balancer), [])
  assert.is(await balancer.stop(), 0)
  assert.equal(
    appLines(balancer).filter((line) => line.startsWith('heard')),
    ['heard SIGTERM, listening true'],
  )
})

test('the app may clean up until the drain timeout', async () => {
  const { balancer, stopped } = await stopSlow()
  assert.is(await stopped, 0)
  assert.is(endOf(balancer), '30 web/0 exited with code 7')
})

test('or until the stop timeout of its pool', async () => {
  const balancer = await start('never', { stopTimeoutMs: 200 })
  assert.is(await balancer.stop(), 0)
  assert.is(endOf(balancer), '30 web/0 was ended by SIGKILL')
  assert.ok(balancer.lines.some(({ level, msg }) => level === 40 && /it did not exit within 200 ms after it was told to stop/.test(msg)))
})

test('an app that closes its server unasked exits as well, and its worker is replaced', async () => {
  const balancer = await start('close')
  await exchange(balancer.port, get('/end', { Connection: 'close' }))
  await until(() => endOf(balancer), 10_000, 'the exit')
  assert.is(endOf(balancer)?.replace(/;.*/, ''), '40 web/0 exited with code 3')
  assert.equal(appLines(balancer), ['beforeExit 3', 'exit 3'])
  await balancer.untilAllReady()
  assert.is(await balancer.stop(), 0)
})

test.run()
