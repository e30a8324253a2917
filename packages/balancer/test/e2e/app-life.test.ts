// An app lives and ends in a worker as under plain Node. At its end it hears its signal once and when nothing is left, closes what is its own, and has its time for that.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { PoolConfig } from '../../src/config/config.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('life of an app', { timeoutMs: 40_000 })

async function start(ending: string, pool: PoolConfig = {}, drainTimeoutMs = 30_000): Promise<RunningBalancer> {
  const pools = { web: { workers: 1, env: { ENDING: ending }, ...pool } }
  return startBalancer({ config: { app: 'ending-app.mjs', drainTimeoutMs, pools } })
}

const told = ({ lines }: RunningBalancer): string[] => lines.flatMap(({ msg }) => (msg.startsWith('app: ') ? [msg.slice(5)] : []))
const endOf = ({ lines }: RunningBalancer): string | undefined => {
  const line = lines.find(({ msg }) => /^web\/0 (exited|has stopped|was ended)/.test(msg))
  return line && `${line.level} ${line.msg.replace(/ \(pid .*/, '')}`
}

test('one that closes its server ends by itself, with its own exit code', async () => {
  const balancer = await start('close')
  await exchange(balancer.port, get('/'))
  assert.is(await balancer.stop(), 0)
  assert.equal(told(balancer), ['heard SIGTERM, listening true', 'closed well, listening false', 'beforeExit 3', 'exit 3'])
  assert.is(endOf(balancer), '30 web/0 exited with code 3')
})

test('what was read of a connection before its worker had it is counted as read', async () => {
  const balancer = await start('exit')
  const request = get('/read')
  assert.is(String((await exchange(balancer.port, request)).body), String(request.length))
  assert.is(await balancer.stop(), 0)
})

test('one that calls process.exit exits; one that hears no signal ends by it', async () => {
  const [exits, none] = await Promise.all([start('exit'), start('none')])
  assert.equal(await Promise.all([exits.stop(), none.stop()]), [0, 0])
  assert.equal([endOf(exits), endOf(none)], ['30 web/0 has stopped', '30 web/0 has stopped'])
  assert.equal(told(none), [])
})

test('it is told by the signal that it listens for, or by that of the config', async () => {
  const [alone, named] = await Promise.all([start('close SIGINT'), start('close SIGHUP', { stopSignal: 'SIGHUP' })])
  assert.equal(await Promise.all([alone.stop(), named.stop()]), [0, 0])
  assert.equal([told(alone)[0], told(named)[0]], ['heard SIGINT, listening true', 'heard SIGHUP, listening true'])
})

test('a signal to all processes is not heard before the worker has drained, and then once', async () => {
  const balancer = await start('close')
  const pid = (await balancer.status()).pools[0]?.workers[0]?.pid as number
  process.kill(pid, 'SIGTERM')
  process.kill(pid, 'SIGINT')
  assert.is(String((await exchange(balancer.port, get('/'))).body), 'ok')
  assert.equal(told(balancer), [])
  assert.is(await balancer.stop(), 0)
  assert.equal(
    told(balancer).filter((line) => line.startsWith('heard')),
    ['heard SIGTERM, listening true'],
  )
})

test('it has what is left of the drain to clean up', async () => {
  const balancer = await start('slow')
  assert.is(await balancer.stop(), 0)
  assert.is(endOf(balancer), '30 web/0 exited with code 7')
})

test('or the time that its pool gives it', async () => {
  const balancer = await start('never', { stopTimeoutMs: 200 })
  assert.is(await balancer.stop(), 0)
  assert.is(endOf(balancer), '30 web/0 was ended by SIGKILL')
  assert.ok(balancer.lines.some(({ level, msg }) => level === 40 && /it did not exit within 200 ms after it was told to stop/.test(msg)))
})

test('one that closes its server without being asked ends as well, and another takes its place', async () => {
  const balancer = await start('close')
  await exchange(balancer.port, get('/end', { Connection: 'close' }))
  await until(() => endOf(balancer), 10_000, 'its end')
  assert.is(endOf(balancer)?.replace(/;.*/, ''), '40 web/0 exited with code 3')
  assert.equal(told(balancer), ['beforeExit 3', 'exit 3'])
  await balancer.untilAllReady()
  assert.is(await balancer.stop(), 0)
})

test.run()
