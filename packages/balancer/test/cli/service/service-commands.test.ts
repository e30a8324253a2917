// `balancer service status` and `uninstall`, and the command line of all three, with a fake systemd.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../../test/suite.ts'
import { serviceStatus } from '../../../src/cli/commands/service-status.ts'
import { uninstallService } from '../../../src/cli/commands/service-uninstall.ts'
import { main } from '../../../src/cli/main.ts'
import { fakeIo } from '../../support/fake-balancer.ts'
import { folderWith } from '../started-command.ts'
import { errorOf, ServiceWorld } from './service-world.ts'

const test = suite('service commands')

const RUNNING = [
  'ActiveState=active',
  'SubState=running',
  'Result=success',
  'UnitFileState=enabled',
  'MainPID=4711',
  'NRestarts=2',
  'StatusText=serving on *:80; web 4 of 4 workers',
  'ActiveEnterTimestamp=Mon 2026-11-30 12:00:00 UTC',
  'ExecMainStatus=0',
  'NeedDaemonReload=no',
].join('\n')

test('status shows what systemd knows, and its exit code says whether the service runs', async () => {
  const world = new ServiceWorld()
  await world.install({ socket: true })
  world.host.answers = [[/show shop\.service/, { stdout: RUNNING }]]
  world.io.stdout.text = ''
  assert.is(await serviceStatus({}, world.io, world.host), 0)
  assert.match(world.out, /^shop\n/)
  assert.match(world.out, /state +active \(running\), pid 4711, since Mon 2026-11-30 12:00:00 UTC\n/)
  assert.match(world.out, /says +serving on \*:80; web 4 of 4 workers\n/)
  assert.match(world.out, /at boot +starts\n {2}restarts +2\n {2}socket +shop\.socket is inactive\n/)

  world.host.answers = [
    [/show shop\.service/, { stdout: 'ActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=4\nUnitFileState=disabled\n' }],
  ]
  world.io.stdout.text = ''
  assert.is(await serviceStatus({ name: 'shop.service' }, world.io, world.host), 8)
  assert.match(
    world.out,
    /state +failed \(failed\): exit-code, exit code 4\n {2}to start +systemctl start shop\.socket shop\n {2}at boot +does not start \(disabled\)\n/,
  )

  world.host.answers = [[/show shop\.service/, { stdout: RUNNING }]]
  world.io.stdout.text = ''
  assert.is(await serviceStatus({ json: true }, world.io, world.host), 0)
  const { name, folder, active, enabled, pid, restarts, socket } = JSON.parse(world.out)
  assert.equal([name, folder, active, enabled, pid, restarts, socket], ['shop', world.folder, 'active', true, 4711, 2, 'inactive'])
})

test('status of a service of the user: it starts at login, or at boot if the user lingers', async () => {
  const world = new ServiceWorld()
  world.host.uid = 1001
  await world.install({ user: true })
  const shown = async (answers: ServiceWorld['host']['answers']): Promise<string> => {
    world.host.answers = answers
    world.io.stdout.text = ''
    await serviceStatus({}, world.io, world.host)
    return world.out
  }
  assert.match(await shown([[/show shop\.service/, { stdout: RUNNING }]]), /\n {2}at login +starts\n/)
  assert.match(
    await shown([
      [/show shop\.service/, { stdout: RUNNING }],
      [/^loginctl /, { stdout: 'Linger=yes\n' }],
    ]),
    /\n {2}at boot +starts\n/,
  )

  const stopped = await shown([[/show shop\.service/, { stdout: 'ActiveState=inactive\nSubState=dead\nStatusText=stopping: SIGTERM\n' }]])
  assert.match(stopped, /state +inactive \(dead\)\n {2}to start +systemctl --user start shop\n/)
  assert.not.match(stopped, /says/)

  const silent = await shown([[/^systemctl /, { code: 1, stderr: 'Failed to connect to bus\n' }]])
  assert.match(silent, /state +unknown: systemd does not answer\n {2}note +Your own systemd .*\n {2}output/)
  assert.match((await errorOf(serviceStatus({ user: true, name: 'x' }, world.io, world.host))).message, /no service 'x'/)
})

test('uninstall stops socket and service, removes the files and leaves others', async () => {
  const world = new ServiceWorld()
  await world.install({ socket: true })
  writeFileSync(join(world.host.unitFolder(false), 'other.service'), '[Service]\n')
  world.host.lines.length = 0
  assert.is(await uninstallService({}, world.io, world.host), 0)
  assert.equal(world.units(), ['other.service'])
  assert.equal(world.host.changes, [
    'systemctl disable --now shop.socket shop.service',
    'systemctl daemon-reload',
    'systemctl reset-failed shop.service',
  ])
  assert.match(world.out, /The service shop has stopped and is removed:\n/)
  assert.match((await errorOf(uninstallService({}, world.io, world.host))).message, /There is no service for /)
  assert.match(
    (await errorOf(uninstallService({ name: 'other' }, world.io, world.host))).message,
    /that 'balancer service install' has made/,
  )
})

test('uninstall keeps the files of a service that does not stop, and needs root', async () => {
  const world = new ServiceWorld()
  await world.install()
  world.host.answers = [[/^systemctl disable/, { code: 1, stderr: 'Failed to disable\n' }]]
  assert.match(
    (await errorOf(uninstallService({}, world.io, world.host))).message,
    /systemctl disable --now shop\.service has failed: Failed to disable/,
  )
  world.host.uid = 1000
  assert.match((await errorOf(uninstallService({}, world.io, world.host))).message, /Only root may remove/)
  assert.ok(existsSync(join(world.host.unitFolder(false), 'shop.service')))
})

test('two services of one folder are told apart by name', async () => {
  const world = new ServiceWorld()
  await world.install()
  await world.install({ name: 'blue' })
  assert.match((await errorOf(serviceStatus({}, world.io, world.host))).message, /several services .*--name blue or --name shop/)
  assert.is(await uninstallService({ name: 'blue' }, world.io, world.host), 0)
  assert.equal(world.units(), ['shop.service'])
})

test('a service of the user is found without --user', async () => {
  const world = new ServiceWorld()
  world.host.uid = 1000
  await world.install({ user: true })
  assert.is(await uninstallService({}, world.io, world.host), 0)
  assert.equal(world.units(true), [])
  assert.match(
    (await errorOf(uninstallService({ user: true }, world.io, world.host))).message,
    /'balancer service install --user' makes one/,
  )
})

test('the command line', async () => {
  const folder = folderWith({ 'server.js': '' })
  const run = async (...args: string[]) => {
    const io = fakeIo(folder)
    return { code: await main(args, io), out: io.stdout.text, err: io.stderr.text }
  }
  const printed = await run('service', 'install', '--print', '--user', '--name', 'shop', 'server.js', '-i', '2', '--', '--fast')
  assert.is(printed.code, 0, printed.err)
  assert.match(printed.out, /^ExecStart=.*balancer\S* start server\.js --instances 2 -- --fast$/m)
  assert.is((await run('service', 'status', '--name', 'no-such-service-here')).code, 13)
  assert.is((await run('service', 'status', '--', 'x')).code, 2)
  assert.is((await run('service', 'install', '--listen', 'here')).code, 2)
  assert.is((await run('service', 'install', '--user', '--run-as', 'app', 'server.js')).code, 2)
  for (const name of ['install', 'status', 'uninstall']) {
    const { code, out } = await run('service', name, '--help')
    assert.is(code, 0)
    assert.match(out, /Exit codes:\n {2}0 {3}/)
  }
})

test.run()
