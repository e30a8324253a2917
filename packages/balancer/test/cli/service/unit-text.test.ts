// The unit files: what stands in them for which balancer, and that systemd accepts them.

import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../../test/suite.ts'
import type { PlanOptions } from '../../../src/cli/service/unit-plan.ts'
import { folderOfUnit, serviceText, socketText } from '../../../src/cli/service/unit-text.ts'
import type { BalancerConfig } from '../../../src/config/config.ts'
import { BalancerError } from '../../../src/errors.ts'
import { folderWith } from '../started-command.ts'
import { planOf } from './service-world.ts'

const test = suite('unit text', { timeoutMs: 30_000 })
const documented = (name: string) => readFileSync(new URL(`../../../../../docs/${name}`, import.meta.url), 'utf8')
const serviceOf = (config: BalancerConfig = {}, changes: Partial<PlanOptions> = {}) => serviceText(planOf(config, changes))

/** The lines of one setting, without their names. */
function valuesOf(text: string, name: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1))
}

test('the units of the docs are what the command writes', () => {
  const plan = planOf({ listen: 80 }, { withSockets: true })
  assert.is(serviceText(plan), documented('switchyard.service'))
  assert.is(socketText(plan), documented('switchyard.socket'))
})

test('a port below 1024 needs a capability, unless systemd opens it or the service runs as root', () => {
  const right = (config: BalancerConfig, changes: Partial<PlanOptions> = {}) => valuesOf(serviceOf(config, changes), 'AmbientCapabilities')
  const bind = ['CAP_NET_BIND_SERVICE']
  assert.equal(right({ listen: 80 }), bind)
  assert.equal(right({ listen: ['127.0.0.1:8080', ':443'] }), bind)
  assert.equal(right({ admin: '127.0.0.1:900' }), bind)
  for (const config of [{}, { listen: 1024 }, { listen: 0 }, { listen: '/run/app.sock' }]) assert.equal(right(config), [])
  assert.equal(right({ listen: 80 }, { withSockets: true }), [])
  assert.equal(right({ listen: 80 }, { account: { name: 'root', uid: 0 } }), [])
  assert.equal(right({ listen: 80 }, { isUser: true }), [])
})

test('the command line: arguments of the app stay last, and the socket is where commands find it', () => {
  const text = serviceOf({}, { startArgs: ['server.js', '-i', '2', '--', '--verbose'] })
  const [start = ''] = valuesOf(text, 'ExecStart')
  assert.match(
    start,
    /^\/usr\/bin\/node \/srv\/\S+\/balancer\.js start server\.js -i 2 --control \/run\/switchyard-998\/current-[0-9a-f]{10}\.sock -- --verbose$/,
  )
  const [reload = ''] = valuesOf(text, 'ExecReload')
  assert.match(reload, /balancer\.js reload --control \/run\/switchyard-998\/current-[0-9a-f]{10}\.sock$/)
  assert.equal(valuesOf(text, 'RuntimeDirectory'), ['switchyard-998'])
})

test('a control socket of the config stays, and without one a signal reloads', () => {
  const own = serviceOf({ control: '/run/shop/own.sock' }, { findArgs: ['--config', 'blue.config.ts'] })
  assert.equal(valuesOf(own, 'RuntimeDirectory'), [])
  assert.match(valuesOf(own, 'ExecReload')[0] as string, /balancer\.js reload --config blue\.config\.ts$/)
  assert.equal(valuesOf(serviceOf({ control: false }), 'ExecReload'), ['/bin/kill -HUP $MAINPID'])
})

test('words are quoted as systemd reads them', () => {
  const text = serviceOf({}, { folder: '/srv/my app 100%', startArgs: ['--', 'two words', 'a$b', '50%', 'say "hi"', 'back\\slash', ''] })
  assert.match(valuesOf(text, 'ExecStart')[0] as string, / -- "two words" "a\$\$b" 50%% "say \\"hi\\"" "back\\\\slash" ""$/)
  assert.equal(valuesOf(text, 'WorkingDirectory'), ['/srv/my app 100%%'])
  assert.match(text, /^Environment="PWD=\/srv\/my app 100%%" NODE_ENV=production$/m)
  assert.is(folderOfUnit(text), '/srv/my app 100%')
  assert.throws(
    () => serviceOf({}, { startArgs: ['--', 'two\nlines'] }),
    (error: unknown) => error instanceof BalancerError && error.code === 'ERR_CONFIG',
  )
})

test('timeouts leave room for what the config allows', () => {
  const least = serviceOf({ drainTimeoutMs: 0, startTimeoutMs: 1 })
  assert.equal([...valuesOf(least, 'TimeoutStartSec'), ...valuesOf(least, 'TimeoutStopSec')], ['60', '60'])
  const long = serviceOf({
    drainTimeoutMs: 300_000,
    shutdownDelayMs: 15_000,
    startTimeoutMs: 60_000,
    pools: { web: { workers: 10, stopTimeoutMs: 20_000 }, heavy: { workers: 1 } },
  })
  assert.equal(valuesOf(long, 'TimeoutStopSec'), ['345'])
  // Two starts, the drain, and 1.5 s for each worker to settle, with 30 s to spare.
  assert.equal(valuesOf(long, 'TimeoutStartSec'), [String(120 + 300 + Math.ceil(11 * 1.5) + 30)])
})

test('what is hidden from an app depends on where it is', () => {
  assert.equal(valuesOf(serviceOf(), 'PrivateTmp'), ['yes'])
  assert.equal(valuesOf(serviceOf({}, { folder: '/tmp/app' }), 'PrivateTmp'), [])
  assert.equal(valuesOf(serviceOf({ listen: '/var/tmp/app.sock' }), 'PrivateTmp'), [])
  assert.equal(valuesOf(serviceOf(), 'ReadWritePaths'), [])
  assert.equal(valuesOf(serviceOf({}, { folder: '/usr/local/shop' }), 'ReadWritePaths'), ['/usr/local/shop'])
})

test('a unit of the user has no user, no capability and its own target', () => {
  const text = serviceOf({ listen: 80 }, { isUser: true })
  for (const name of ['User', 'RuntimeDirectory', 'ProtectSystem', 'PrivateTmp', 'AmbientCapabilities'])
    assert.equal(valuesOf(text, name), [], name)
  assert.equal([...valuesOf(text, 'WantedBy'), ...valuesOf(text, 'NoNewPrivileges')], ['default.target', 'yes'])
  assert.match(valuesOf(text, 'ExecStart')[0] as string, /balancer\.js start$/)
})

test('without the native module systemd-notify may report', () => {
  assert.equal(valuesOf(serviceOf({}, { hasNative: false }), 'NotifyAccess'), ['all'])
  assert.equal(valuesOf(serviceOf(), 'NotifyAccess'), ['main'])
})

test('the addresses of a socket unit', () => {
  const listen = [80, '127.0.0.1:81', '[::1]:82', '/run/app.sock', { host: '::', port: 83, backlog: 4096 }]
  const text = socketText(planOf({ listen }, { withSockets: true })) as string
  assert.equal(valuesOf(text, 'ListenStream'), ['80', '127.0.0.1:81', '[::1]:82', '/run/app.sock', '[::]:83'])
  assert.equal(valuesOf(text, 'Backlog'), ['4096'])
  assert.is(socketText(planOf({ listen })), undefined)
  for (const [config, message] of [
    [{}, /set 'listen' in the config, or add --listen/],
    [{ listen: 0 }, /needs a port/],
    [{ listen: 'localhost:80' }, /needs an IP address in place of 'localhost'/],
  ] as const)
    assert.throws(() => planOf(config, { withSockets: true }), message)
})

test('names', () => {
  assert.is(planOf({}, { name: 'shop.service' }).name, 'shop')
  for (const name of ['a/b', '', 'shop@', '-x', 'x'.repeat(101)]) assert.throws(() => planOf({}, { name }), /is no name for a service/)
})

// Present wherever systemd is installed, running or not.
if (spawnSync('systemd-analyze', ['--version']).status === 0)
  test('systemd-analyze has nothing to say about them', () => {
    const folder = folderWith({ 'balancer.js': '' })
    const account = { name: 'root', uid: 0 }
    const plans = [
      planOf({ listen: 80 }, { withSockets: true, account }),
      planOf({ listen: 80 }, { account }),
      planOf({}, { folder: '/usr/local/my app 100%', account, startArgs: ['--', 'a$b "c" \\ 50%'] }),
    ].map((plan) => ({ ...plan, start: [process.execPath, ...plan.start.slice(1)], reload: [process.execPath, ...plan.reload.slice(1)] }))
    chmodSync(join(folder, 'balancer.js'), 0o755)
    for (const [index, plan] of plans.entries()) {
      const files = [
        [`sy-test-${index}.service`, serviceText({ ...plan, name: `sy-test-${index}` })],
        [`sy-test-${index}.socket`, socketText({ ...plan, name: `sy-test-${index}` })],
      ].filter((file): file is [string, string] => file[1] !== undefined)
      for (const [name, text] of files) writeFileSync(join(folder, name), text)
      const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...files.map(([name]) => join(folder, name))], {
        encoding: 'utf8',
        env: { ...process.env, LC_ALL: 'C' },
      })
      assert.equal(
        `${stdout}${stderr}`.split('\n').filter((line) => line.includes('sy-test')),
        [],
      )
    }
    // The check can fail.
    writeFileSync(join(folder, 'sy-bad.service'), '[Service]\nExecStart=/nowhere/node\nNoSuchSetting=1\n')
    assert.throws(
      () => execFileSync('systemd-analyze', ['verify', '--man=no', join(folder, 'sy-bad.service')], { stdio: 'pipe' }),
      /sy-bad/,
    )
  })

test.run()
