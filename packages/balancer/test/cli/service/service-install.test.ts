// `balancer service install`, with a fake systemd.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../../test/suite.ts'
import { installService } from '../../../src/cli/commands/service-install.ts'
import { fakeIo } from '../../support/fake-balancer.ts'
import { errorOf, ServiceWorld } from './service-world.ts'

const test = suite('service install')

test('install writes the unit, has it verified first, and starts it', async () => {
  const world = new ServiceWorld()
  assert.is(await world.install(), 0)
  assert.equal(world.units(), ['shop.service'])
  assert.match(world.unit('shop.service'), /^User=app$/m)
  assert.match(world.unit('shop.service'), new RegExp(`^WorkingDirectory=${world.folder}$`, 'm'))
  assert.is(statSync(join(world.host.unitFolder(false), 'shop.service')).mode & 0o777, 0o644)
  assert.equal(world.host.changes, ['systemctl daemon-reload', 'systemctl enable shop.service', 'systemctl start shop.service'])
  const verified = world.host.lines.findIndex((line) => /^systemd-analyze verify --man=no \S+\/shop\.service$/.test(line))
  assert.ok(verified !== -1 && verified < world.host.lines.indexOf('systemctl daemon-reload'), world.host.lines.join('\n'))
  assert.match(world.out, /^The service shop is installed\.\n {2}unit +\S+\/shop\.service\n/)
  assert.match(world.out, /runs, and starts with the machine/)
  assert.match(world.out, /journalctl -u shop -f/)
  assert.is(world.io.stderr.text, '')
})

test('install with a socket unit starts the socket first', async () => {
  const world = new ServiceWorld()
  assert.is(await world.install({ socket: true }), 0)
  assert.equal(world.units(), ['shop.service', 'shop.socket'])
  assert.equal(world.host.changes.slice(1), ['systemctl enable shop.service shop.socket', 'systemctl start shop.socket shop.service'])
})

test('install for a user needs no root and says how the service outlives the session', async () => {
  const world = new ServiceWorld({ 'server.js': '' })
  world.host.uid = 1000
  assert.is(await world.install({ user: true, app: 'server.js', name: 'mine', appArgs: ['--fast'] }), 0)
  assert.equal([world.units(true), world.units()], [['mine.service'], []])
  assert.match(readFileSync(join(world.host.unitFolder(true), 'mine.service'), 'utf8'), /^ExecStart=.* start server\.js -- --fast$/m)
  assert.ok(
    world.host.changes.every((line) => line.startsWith('systemctl --user ')),
    world.host.changes.join('\n'),
  )
  assert.match(world.out, /loginctl enable-linger/)
})

test('install for a user whose systemd does not answer writes nothing, and says how to log in', async () => {
  const world = new ServiceWorld()
  world.host.uid = 1001
  world.host.answers = [[/^systemctl --user /, { code: 1, stderr: 'Failed to connect to bus: No medium found\n' }]]
  const { code, message } = await errorOf(world.install({ user: true }))
  assert.is(code, 'ERR_SERVICE')
  assert.match(
    message,
    /Failed to connect to bus: No medium found\n {2}Your own systemd .*'sudo loginctl enable-linger 1001'.*\/run\/user\/1001/,
  )
  assert.equal(world.units(true), [])

  world.host.answers = [[/^systemctl --user /, { code: 1, stderr: 'Failed to connect to user scope bus via local transport: $DBUS…\n' }]]
  Object.assign(world.host, { uid: 0, sudoUser: 'ann' })
  assert.match((await errorOf(world.install({ user: true }))).message, /Leave out sudo, or --user\.$/)
})

test('install without a config or an app names the command with an app', async () => {
  const { code, message } = await errorOf(new ServiceWorld({}).install({ user: true }))
  assert.equal([code, message.includes("'balancer service install server.js'")], ['ERR_CONFIG', true], message)
})

test('install prints the units without systemd or any change', async () => {
  const world = new ServiceWorld()
  world.host.isBooted = false
  world.host.uid = 1000
  assert.is(await world.install({ print: true, socket: true }), 0)
  assert.match(
    world.out,
    /^# \S+\/shop\.service\n# Written by 'balancer service install'[\s\S]*\n\n# \S+\/shop\.socket\n# Written by[\s\S]*ListenStream=80\n/,
  )
  assert.equal([world.units(), world.host.changes], [[], []])
})

test('install --no-enable only writes', async () => {
  const world = new ServiceWorld()
  assert.is(await world.install({ enable: false }), 0)
  assert.equal(world.host.changes, ['systemctl daemon-reload'])
  assert.match(world.out, /not started\. To start it, now and at each boot: systemctl enable --now shop\.service/)
})

test('without systemd the error says what to use instead', async () => {
  const world = new ServiceWorld({ 'my app.js': '' })
  world.host.isBooted = false
  const { code, message } = await errorOf(world.install({ app: 'my app.js', appArgs: ['--fast'] }))
  assert.is(code, 'ERR_NO_SYSTEMD')
  assert.match(message, /CMD \["node","[^"]+","start","my app\.js","--","--fast"\]/)
  assert.match(message, new RegExp(`@reboot cd ${world.folder} && /usr/bin/node \\S+ start --detach 'my app\\.js' -- --fast`))
  assert.match(message, /exec chpst -u app /)
})

test('install refuses what cannot work, and changes nothing', async () => {
  const faulty = new ServiceWorld({ 'server.js': '', 'balancer.config.json': '{ "app": "server.js", "listen": -1 }' })
  assert.is((await errorOf(faulty.install())).code, 'ERR_CONFIG')

  const notRoot = new ServiceWorld()
  notRoot.host.uid = 1000
  const { code, message } = await errorOf(notRoot.install({ socket: true, config: 'balancer.config.json' }))
  assert.is(code, 'ERR_SERVICE')
  assert.match(message, /sudo \S*node \S+ service install --socket --config balancer\.config\.json\n/)
  assert.match(message, /balancer service install --user/)

  const noUser = new ServiceWorld()
  assert.match((await errorOf(noUser.install({ runAs: 'nobody-here' }))).message, /no user 'nobody-here' .*--run-as/)

  const cached = new ServiceWorld()
  cached.host.entry = '/home/ada/.npm/_npx/0a1b/node_modules/.bin/balancer'
  assert.match((await errorOf(cached.install())).message, /npm install @switchyard\/balancer/)

  const refused = new ServiceWorld()
  refused.host.answers = [
    [
      /^systemd-analyze/,
      (line) => ({ code: 1, stderr: `${line.split(' ').at(-1)}:7: Bad value\n/lib/systemd/system/other.service:1: Other\n` }),
    ],
  ]
  assert.is((await errorOf(refused.install())).message, 'systemd refuses the unit, and nothing was installed:\n  shop.service:7: Bad value')
  for (const { host } of [faulty, notRoot, noUser, cached, refused]) {
    assert.equal(readdirSync(host.unitFolder(false)), [])
    assert.equal(host.changes, [])
  }
})

test('faults of other units do not matter, and without systemd-analyze nothing is verified', async () => {
  const world = new ServiceWorld()
  world.host.answers = [[/^systemd-analyze/, { code: 1, stderr: '/lib/systemd/system/other.service:1: Other\n' }]]
  assert.is(await world.install(), 0)
  const none = new ServiceWorld()
  none.host.answers = [[/^systemd-analyze/, { code: 127, stderr: 'there is no command systemd-analyze' }]]
  assert.is(await none.install(), 0)
})

test('a unit of somebody else is never overwritten', async () => {
  const foreign = new ServiceWorld()
  const path = join(foreign.host.unitFolder(false), 'shop.service')
  writeFileSync(path, '[Service]\nExecStart=/bin/true\n')
  foreign.host.answers = [[/--property=LoadState/, { stdout: `LoadState=loaded\nFragmentPath=${path}\n` }]]
  assert.match(
    (await errorOf(foreign.install())).message,
    /another service 'shop' already: \S+shop\.service\. Choose another name, such as --name shop-app/,
  )
  assert.is(readFileSync(path, 'utf8'), '[Service]\nExecStart=/bin/true\n')

  const packaged = new ServiceWorld()
  packaged.host.answers = [[/--property=LoadState/, { stdout: 'LoadState=loaded\nFragmentPath=/lib/systemd/system/nginx.service\n' }]]
  assert.match((await errorOf(packaged.install({ name: 'nginx' }))).message, /nginx\.service/)

  const [first, second] = [new ServiceWorld(), new ServiceWorld()]
  await first.install()
  writeFileSync(join(second.host.unitFolder(false), 'shop.service'), first.unit('shop.service'))
  assert.match((await errorOf(second.install())).message, new RegExp(`already, for ${first.folder}:`))
})

test('installing again changes the unit and leaves a running service alone', async () => {
  const world = new ServiceWorld()
  await world.install({ socket: true })
  world.host.lines.length = 0
  world.host.answers = [[/--property=ActiveState/, { stdout: 'ActiveState=active\n' }]]
  assert.is(await world.install({ appArgs: ['--new'] }), 0)
  assert.equal(world.units(), ['shop.service'])
  assert.match(world.unit('shop.service'), /^ExecStart=.* -- --new$/m)
  assert.equal(world.host.changes, ['systemctl disable shop.socket', 'systemctl daemon-reload', 'systemctl enable shop.service'])
  assert.match(world.out, /runs with the unit from before\. For the new one: systemctl stop shop; systemctl start shop/)
})

test('a service that does not start is an error with what systemd says of it', async () => {
  const world = new ServiceWorld()
  world.host.answers = [
    [/^systemctl start/, { code: 1, stderr: 'Job for shop.service failed.\n' }],
    [/^systemctl status/, { code: 3, stdout: 'x shop.service - failed\n  node: no database\n' }],
  ]
  const { code, message } = await errorOf(world.install())
  assert.is(code, 'ERR_SERVICE')
  assert.match(
    message,
    /^shop\.service is installed, and does not start: [\s\S]*Job for shop\.service failed\.\nx shop\.service - failed\n {2}node: no database\n/,
  )
  assert.match(message, /'balancer service uninstall' removes the service$/)
})

test('what will probably not work is a warning', async () => {
  const low = new ServiceWorld()
  low.host.uid = 1000
  await low.install({ user: true })
  assert.match(low.io.stderr.text, /^Warning: a service of your own can't open port 80: /)

  const failing = new ServiceWorld()
  failing.host.uid = 1000
  failing.host.answers = [[/^systemctl --user start/, { code: 1, stderr: 'Job for shop.service failed.\n' }]]
  assert.is((await errorOf(failing.install({ user: true }))).code, 'ERR_SERVICE')
  assert.match(failing.io.stderr.text, /can't open port 80/)

  const root = new ServiceWorld()
  await root.install({ runAs: 'root' })
  assert.match(root.io.stderr.text, /^Warning: the service runs as root, .*--run-as\.$/m)

  const denied = new ServiceWorld()
  denied.host.answers = [[/^runuser -u app -- /, { code: 1, stderr: "Error: EACCES: permission denied, access '/root/shop'\n" }]]
  await denied.install()
  assert.match(denied.io.stderr.text, /^Warning: the user 'app' can't read \/root\/shop: /)
  const tried = denied.host.lines.find((line) => line.startsWith('runuser')) as string
  for (const path of [denied.folder, join(denied.folder, 'server.js'), denied.host.entry]) assert.ok(tried.includes(path), tried)
})

test('the service runs as the owner of the folder, or the user of sudo, before it is root', async () => {
  const world = new ServiceWorld()
  world.host.sudoUser = 'app'
  assert.is(await installService({}, world.io, world.host), 0)
  const owner = statSync(world.folder).uid
  assert.match(world.unit('shop.service'), owner === 0 ? /^User=app$/m : /^User=/m)
})

// The config may name other users only for root.
if (process.getuid?.() === 0)
  test('a config whose workers have users of their own needs root, and no warning', async () => {
    const pools = { web: { uid: 65_534, gid: 65_534 } }
    const world = new ServiceWorld({ 'server.js': '', 'balancer.config.json': JSON.stringify({ app: 'server.js', name: 'shop', pools }) })
    world.host.sudoUser = 'app'
    assert.is(await installService({}, world.io, world.host), 0)
    assert.match(world.unit('shop.service'), /^User=root$/m)
    assert.is(world.io.stderr.text, '')
  })

test('a folder behind a release link is named after its application', async () => {
  const world = new ServiceWorld()
  const folder = join(world.folder, 'store', 'current')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'server.js'), '')
  assert.is(await installService({ app: 'server.js', runAs: 'app' }, fakeIo(folder), world.host), 0)
  assert.equal(world.units(), ['store.service'])
})

test.run()
