// Servers that an app closes, opens and keeps: by itself, in a reload, an upgrade and a stop.

import { chmodSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { configOf, nameAt, said, startServers } from './support/listening-servers.ts'
import { RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { temporaryFolder } from './support/running-balancer.ts'
import { firstEnded, startUpgradable, stopServing, upgrade } from './support/upgradable-balancer.ts'

const test = suite('listen, changes', { timeoutMs: 40_000 })

const request = (path: string, argument: unknown) =>
  `${path}?${encodeURIComponent(typeof argument === 'string' ? argument : JSON.stringify(argument))}`

test('a closed server gets no connections, and gets them again when it listens again', async () => {
  const [main, second] = [await freePort(), await freePort()]
  const balancer = await startServers([
    { name: 'main', listen: [main] },
    { name: 'second', listen: [second] },
  ])
  const close = () => said(main, request('/close', 'second'))
  assert.is(await close(), 'closed')
  // One worker has no server any more, so the other gets every connection.
  const pids = new Set<string>()
  for (let turn = 0; turn < 8; turn++) pids.add(await said(second))
  assert.is(pids.size, 1)
  await until(async () => {
    // Workers take turns, so each gets a request.
    for (const ask of [close, close]) await ask().catch(() => {})
    return (await said(second)) === 'ECONNREFUSED'
  })
  await balancer.untilLine(({ msg }) => msg === `no longer listening on [::]:${second}`, 'the closed listener')
  assert.is(await nameAt(main), 'main')
  const opened = JSON.parse(await said(main, request('/open', { name: 'second', listen: [second] })))
  assert.is(opened.event.port, second)
  for (let turn = 0; turn < 8; turn++) assert.is(await nameAt(second), 'second')
  assert.is(await balancer.stop(), 0)
})

test('requests on every port are finished during a reload and a stop', async () => {
  const [main, second] = [await freePort(), await freePort()]
  const balancer = await startServers([
    { name: 'main', listen: [main] },
    { name: 'second', listen: [second] },
  ])
  for (const end of [() => runCommand(balancer, ['reload']), () => balancer.stop()]) {
    const hold = new RequestHold()
    const begun = balancer.lines.filter(({ msg }) => msg === 'wait begun').length
    const client = new RawClient(second).write(hold.request('/wait'))
    await until(() => balancer.lines.filter(({ msg }) => msg === 'wait begun').length > begun)
    const drains = balancer.lines.filter(({ msg }) => msg.includes(' is draining')).length
    const ended = end()
    await until(() => balancer.lines.filter(({ msg }) => msg.includes(' is draining')).length > drains)
    hold.release()
    const { status, body } = await client.answer()
    assert.is(status, 200)
    assert.match(body.toString(), 'second')
    client.destroy()
    await ended
  }
})

test('a reload opens a new port and closes an old one', async () => {
  const [main, gone, come] = [await freePort(), await freePort(), await freePort()]
  const balancer = await startServers(
    [
      { name: 'main', listen: [main] },
      { name: 'gone', listen: [gone] },
    ],
    { listenerGraceMs: 200 },
  )
  assert.is(await nameAt(gone), 'gone')
  const after = [
    { name: 'main', listen: [main] },
    { name: 'come', listen: [come] },
  ]
  balancer.configure({ ...configOf(after, { listenerGraceMs: 200 }), admin: '127.0.0.1:0' })
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 0, err)
  assert.is(await nameAt(main), 'main')
  assert.is(await nameAt(come), 'come')
  await balancer.untilLine(({ msg }) => msg === `no longer listening on [::]:${gone}`, 'the closed listener')
  assert.is(await said(gone), 'ECONNREFUSED')
  assert.is(await balancer.stop(), 0)
})

test('an upgrade keeps every listener', async () => {
  const [main, second] = [await freePort(), await freePort()]
  const path = join(temporaryFolder(), 'app.sock')
  const servers = [
    { name: 'main', listen: [main] },
    { name: 'any', listen: [0] },
    { name: 'second', listen: [second, '127.0.0.1'] },
    { name: 'path', listen: [path] },
  ]
  const balancer = await startUpgradable({ config: configOf(servers) })
  const before = await said(main, '/addresses')
  const any = JSON.parse(before).any.event.port
  await upgrade(balancer)
  assert.is(await said(main, '/addresses'), before)
  for (let turn = 0; turn < 4; turn++) {
    assert.equal([await nameAt(main), await nameAt(any), await nameAt(second), await nameAt({ path })], ['main', 'any', 'second', 'path'])
  }
  assert.is(await firstEnded(balancer), 0)
  assert.equal([await nameAt(second), await nameAt({ path })], ['second', 'path'])
  await stopServing(balancer)
})

test('an app may change the mode of its unix socket, and remove a stale file before it listens', async () => {
  const path = join(temporaryFolder(), 'app.sock')
  const balancer = await startServers([{ name: 'path', listen: [{ path, readableAll: true, writableAll: true }] }])
  assert.is(statSync(path).mode & 0o666, 0o666)
  chmodSync(path, 0o600)
  rmSync(path)
  const [first] = (await balancer.status()).pools[0]?.workers ?? []
  process.kill(first?.pid as number, 'SIGKILL')
  // The next worker listens there again.
  await until(async () => (await said({ path })) !== 'ENOENT', 15_000)
  for (let turn = 0; turn < 6; turn++) assert.is(await nameAt({ path }), 'path')
  assert.is(await balancer.stop(), 0)
})

test.run()
