// The balancer under a service manager: notifications, socket activation, and variables that workers must not get.

import { closeSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { native } from '../../../handoff/src/native-module.ts'
import { runCommand } from './support/commands.ts'
import { FakeServiceManager } from './support/fake-service-manager.ts'
import { exchange, get, json, type Target } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { firstEnded, startUpgradable, stopServing, upgrade } from './support/upgradable-balancer.ts'

const test = suite('systemd', { timeoutMs: 60_000 })
const app = 'echo-app.mjs'
const pools = { web: { workers: 1 } }
const VARIABLES = /^(NOTIFY_SOCKET|WATCHDOG_|LISTEN_|SWITCHYARD_UPGRADE)/

const statusAt = async (target: Target) => (await exchange(target, get('/'))).status

async function variablesOfWorkers(balancer: RunningBalancer): Promise<string[]> {
  const { pools } = await balancer.status()
  const environments = pools.flatMap(({ workers }) => workers.map(({ pid }) => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')))
  return environments.flat().filter((variable) => VARIABLES.test(variable))
}

test('the manager is notified of readiness, reloads, the stop, and for its watchdog', async () => {
  const manager = await FakeServiceManager.start({ watchdogMs: 400 })
  const balancer = await startBalancer({ config: { app, pools }, env: manager.env })
  const { pid, assignments } = await manager.untilNotified(/^READY=1$/)
  assert.is(pid, balancer.pid)
  assert.match(assignments[1] as string, /^STATUS=serving on 127\.0\.0\.1:\d+; web 1 of 1 workers$/)
  await manager.untilNotified(/^WATCHDOG=1$/)
  assert.equal(await variablesOfWorkers(balancer), [])
  const before = manager.notifications.length
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  const reloading = await manager.untilNotified(/^RELOADING=1$/, before)
  const us = Number(/^MONOTONIC_USEC=(\d+)$/.exec(reloading.assignments[1] as string)?.[1])
  assert.ok(us > 0 && us <= Number(process.hrtime.bigint() / 1000n), `${us}`)
  await manager.untilNotified(/^READY=1$/, before)
  const running = manager.notifications.length
  assert.is(await balancer.stop(), 0)
  const stopping = await manager.untilNotified(/^STOPPING=1$/, running)
  assert.is(stopping.assignments[2], 'EXTEND_TIMEOUT_USEC=40000000')
  assert.is(manager.notifications.at(-1)?.assignments[0], 'STOPPING=1')
  await manager.stop()
})

test('an upgrade reports the new main process, which sends the notifications from then on', async () => {
  const manager = await FakeServiceManager.start({ abstract: true, watchdogMs: 400 })
  const balancer = await startUpgradable({ config: { app, pools }, env: manager.env })
  await manager.untilNotified(/^WATCHDOG=1$/)
  const newPrimaryProcess = await upgrade(balancer)
  assert.is((await manager.untilNotified(/^MAINPID=/)).assignments[0], `MAINPID=${newPrimaryProcess}`)
  assert.is(await firstEnded(balancer), 0)
  const named = manager.notifications.findIndex(({ assignments }) => assignments[0]?.startsWith('MAINPID='))
  assert.is((await manager.untilNotified(/^READY=1$/, named)).pid, newPrimaryProcess)
  await manager.untilNotified(/^WATCHDOG=1$/, named)
  assert.equal(await variablesOfWorkers(balancer), [])
  // Only the main process notifies: the old primary until MAINPID, the new one from then on.
  for (const [index, { pid }] of manager.notifications.entries()) assert.is(pid, index <= named ? balancer.pid : newPrimaryProcess)
  await stopServing(balancer)
  await manager.untilNotified(/^STOPPING=1$/, named)
  await manager.stop()
})

test('a manager that does not answer is reported once and does not prevent serving', async () => {
  const env = { NOTIFY_SOCKET: join(temporaryFolder(), 'nobody'), WATCHDOG_USEC: '20000' }
  const balancer = await startBalancer({ config: { app, pools }, env })
  await balancer.untilLine(({ msg }) => msg.includes("the service manager can't be notified"), 'the warning')
  assert.is(await statusAt(balancer.port), 200)
  assert.is(await balancer.stop(), 0)
  assert.is(balancer.lines.filter(({ msg }) => msg.includes("can't be notified")).length, 1)
})

test('the balancer listens on passed sockets: those in the config, or all when the config names none', async () => {
  for (const named of [true, false]) {
    const path = join(temporaryFolder(), 'app.sock')
    const [tcp, unix] = [native().listenTcp('127.0.0.1', 0, false, 64, 0), native().listenUnix(path, 64)]
    const port = native().boundPort(tcp)
    const listen = named ? [`127.0.0.1:${port}`, path, '127.0.0.2:0'] : undefined
    const balancer = await startBalancer({ config: { app, pools, listen }, sockets: [tcp, unix] })
    for (const fd of [tcp, unix]) closeSync(fd)
    assert.equal(balancer.addresses.slice(0, 2), [`127.0.0.1:${port}`, path])
    assert.is(balancer.addresses.length, named ? 3 : 2)
    assert.is(await statusAt(port), 200)
    assert.is(await statusAt({ path }), 200)
    assert.equal(await variablesOfWorkers(balancer), [])
    assert.is((await runCommand(balancer, ['reload'])).code, 0)
    assert.is(await balancer.stop(), 0)
    // The file belongs to the manager.
    assert.ok(existsSync(path))
  }
})

test('passed sockets that are not used are reported; the admin page may use one', async () => {
  const sockets = [0, 0, 0].map(() => native().listenTcp('127.0.0.1', 0, false, 64, 0))
  const [app1, admin, left] = sockets.map((fd) => native().boundPort(fd)) as [number, number, number]
  const config = { app, pools, listen: `127.0.0.1:${app1}`, admin: `127.0.0.1:${admin}` }
  const balancer = await startBalancer({ config, sockets: [...sockets, 0], args: ['--admin', `127.0.0.1:${admin}`] })
  for (const fd of sockets) closeSync(fd)
  await balancer.untilLine(({ msg }) => msg.includes(`listens on 127.0.0.1:${left}, but the config does not`), 'the warning')
  await balancer.untilLine(
    ({ msg }) => msg.includes('descriptor 6 of the service manager is not a listening stream socket'),
    'the other warning',
  )
  assert.is((await balancer.status()).accepting, true)
  assert.match(await balancer.metrics(), /switchyard_accepting 1/)
  assert.is(await balancer.stop(), 0)
})

test('passed sockets survive an upgrade with the backlog and file of the manager', async () => {
  const path = join(temporaryFolder(), 'app.sock')
  const [tcp, unix] = [native().listenTcp('127.0.0.1', 0, false, 64, 0), native().listenUnix(path, 64)]
  const port = native().boundPort(tcp)
  const balancer = await startUpgradable({ config: { app, pools, listen: undefined }, sockets: [tcp, unix] })
  for (const fd of [tcp, unix]) closeSync(fd)
  const old = json<{ pid: number }>(await exchange(port, get('/'))).pid
  balancer.configure({ app, pools, listen: [path, `127.0.0.1:${port}`] })
  await upgrade(balancer)
  assert.is(await firstEnded(balancer), 0)
  for (const target of [port, { path }]) assert.not.equal(json<{ pid: number }>(await exchange(target, get('/'))).pid, old)
  await stopServing(balancer)
  assert.ok(existsSync(path))
})

test.run()
