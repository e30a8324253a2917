// Node's IPC channel belongs to the app. The app gets no message of the balancer, its own messages do not reach the balancer, and it may close
// the channel.

import { assert, suite } from '../../../../test/suite.ts'
import { runCommand } from './support/commands.ts'
import { once } from './support/once.ts'
import { exchange, get, json } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('messages of apps', { timeoutMs: 60_000 })

const pidOf = async (balancer: RunningBalancer): Promise<number> => (await balancer.untilAllReady()).pools[0]?.workers[0]?.pid as number

for (const channel of ['native', 'portable']) {
  const start = () =>
    startBalancer({ config: { app: 'messages-app.mjs', pools: { web: { workers: 1 } } }, env: { SWITCHYARD_CHANNEL: channel } })

  /** For the tests that do not count what its workers write. */
  const shared = once(start)

  test.after(async () => assert.is(await (await shared()).stop(), 0))

  test(`${channel}: an app gets no message from start to exit, through load, drain, reload and stop`, async () => {
    const balancer = await start()
    const old = await pidOf(balancer)
    for (let turn = 0; turn < 20; turn++) assert.equal(json(await exchange(balancer.port, get('/heard'))), [])
    const { code, err } = await runCommand(balancer, ['reload'])
    assert.is(code, 0, err)
    await balancer.untilLine(({ msg }) => msg === 'heard []', 'the messages of the first worker')
    assert.is.not(await pidOf(balancer), old)
    assert.equal(json(await exchange(balancer.port, get('/heard'))), [])
    assert.is(await balancer.stop(), 0)
    assert.equal(
      balancer.lines.filter(({ msg }) => msg.startsWith('heard')).map(({ msg }) => msg),
      ['heard []', 'heard []'],
    )
  })

  test(`${channel}: an app that removes all message listeners is drained and replaced as any other`, async () => {
    const balancer = await shared()
    const old = await pidOf(balancer)
    assert.is((await exchange(balancer.port, get('/remove'))).status, 200)
    assert.is((await exchange(balancer.port, get('/heard'))).status, 200)
    const { code, err } = await runCommand(balancer, ['reload'])
    assert.is(code, 0, err)
    assert.is.not(await pidOf(balancer), old)
    const exit = await balancer.untilLine(({ msg, pid }) => pid === old && /has stopped|ended|exited/.test(msg), 'the exit')
    assert.not.match(exit.msg, 'SIGKILL')
  })

  test(`${channel}: a worker whose app disconnects exits, as in node:cluster, and is replaced`, async () => {
    const balancer = await shared()
    const old = await pidOf(balancer)
    assert.is((await exchange(balancer.port, get('/disconnect'))).status, 200)
    const exit = await balancer.untilLine(({ msg, pid }) => pid === old && msg.startsWith('web/0 exited'), 'the exit')
    assert.is(exit.code, 0)
    assert.is.not(await pidOf(balancer), old)
    assert.is((await exchange(balancer.port, get('/heard'))).status, 200)
  })

  const isServing = channel === 'native'
  test(`${channel}: a worker that closes the IPC channel and does not exit ${isServing ? 'serves on' : 'is replaced'}`, async () => {
    const balancer = await shared()
    const old = await pidOf(balancer)
    assert.is((await exchange(balancer.port, get('/leave'))).status, 200)
    if (!isServing) {
      await balancer.untilLine(({ msg }) => msg.startsWith('killed: its app closed the IPC channel'), 'the reason of the kill')
      await balancer.untilLine(({ msg }) => msg.startsWith('web/0 was ended by SIGKILL'), 'the exit')
    }
    assert.is((await pidOf(balancer)) === old, isServing)
    for (let turn = 0; turn < 5; turn++) assert.is((await exchange(balancer.port, get('/heard'))).status, 200)
    const { code, err } = await runCommand(balancer, ['reload'])
    assert.is(code, 0, err)
  })
}

test.run()
