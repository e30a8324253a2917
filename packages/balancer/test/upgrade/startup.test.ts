// What a primary is started with: inherited sockets, socket activation, ticket keys of the old primary, and the command that restarts it.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { type InheritedSocket, InheritedSockets, type WantedAddress } from '../../src/listeners/inherited-sockets.ts'
import { folderAsWritten } from '../../src/system/written-path.ts'
import { readActivation } from '../../src/upgrade/activation.ts'
import { isChildOfInit } from '../../src/upgrade/old-primary.ts'
import type { OldPrimaryLink } from '../../src/upgrade/old-primary-link.ts'
import { restartCommand } from '../../src/upgrade/restart-command.ts'
import { Startup } from '../../src/upgrade/startup.ts'

const test = suite('startup')
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'startup-')))
atSuiteEnd(() => rmSync(folder, { recursive: true }))

function socket(fd: number, changes: Partial<InheritedSocket>): InheritedSocket {
  const base = { host: undefined, port: undefined, path: undefined, ipv6Only: false, askedPort: undefined, number: fd, isManaged: false }
  return { ...base, fd, ...changes }
}

const fits: readonly [title: string, has: Partial<InheritedSocket>, wants: WantedAddress, isClaimed: boolean][] = [
  ['the same', { host: '127.0.0.1', port: 80 }, { host: '127.0.0.1', port: 80 }, true],
  ['another port', { host: '127.0.0.1', port: 80 }, { host: '127.0.0.1', port: 81 }, false],
  ['another host', { host: '127.0.0.1', port: 80 }, { host: '127.0.0.2', port: 80 }, false],
  ['any port, as in the config', { host: '127.0.0.1', port: 4711, askedPort: 0 }, { host: '127.0.0.1', port: 0 }, true],
  ['any port, but the config named it', { host: '127.0.0.1', port: 4711, askedPort: 4711 }, { host: '127.0.0.1', port: 0 }, false],
  ['any port, of another kind', { host: '127.0.0.1', port: 4711, askedPort: 0, number: undefined }, { host: '127.0.0.1', port: 0 }, false],
  ['a named port, of another kind', { host: '127.0.0.1', port: 80, number: undefined }, { host: '127.0.0.1', port: 80 }, true],
  ['every host, by IPv6', { host: '::', port: 80 }, { port: 80 }, true],
  ['every host, by IPv4', { host: '0.0.0.0', port: 80 }, { port: 80 }, true],
  ['every host, but IPv6 only', { host: '::', port: 80, ipv6Only: true }, { port: 80 }, false],
  ['IPv6 only, both', { host: '::', port: 80, ipv6Only: true }, { host: '::', port: 80, ipv6Only: true }, true],
  [
    'IPv6 only, where the socket’s option is unknown',
    { host: '::', port: 80, ipv6Only: undefined },
    { host: '::', port: 80, ipv6Only: true },
    true,
  ],
  ['a name of the same host', { host: '127.0.0.1', port: 80 }, { host: 'localhost', port: 80 }, true],
  ['a name that does not resolve', { host: '127.0.0.1', port: 80 }, { host: 'no.such.invalid', port: 80 }, false],
  ['a path', { path: '/run/a.sock' }, { path: '/run/a.sock' }, true],
  ['another path', { path: '/run/a.sock' }, { path: '/run/b.sock' }, false],
  ['a path and a port', { path: '/run/a.sock' }, { port: 80 }, false],
]

for (const [title, has, wants, isClaimed] of fits) {
  test(`${isClaimed ? 'fits' : 'does not fit'}: ${title}`, async () => {
    const sockets = new InheritedSockets([socket(5, has)])
    assert.is((await sockets.claim(wants, true))?.fd, isClaimed ? 5 : undefined)
    assert.is(sockets.unclaimed.length, isClaimed ? 0 : 1)
  })
}

test('each of several fitting sockets is claimed once', async () => {
  const same = { host: '127.0.0.1', askedPort: 0 }
  const sockets = new InheritedSockets([socket(5, { ...same, port: 1 }), socket(6, { ...same, port: 2 })])
  const claimed = [0, 1, 2].map(() => sockets.claim({ host: '127.0.0.1', port: 0 }, true))
  assert.equal(
    (await Promise.all(claimed)).map((one) => one?.port),
    [1, 2, undefined],
  )
})

test('sockets of a service manager begin at descriptor 3, and their variables are removed', () => {
  const env = { LISTEN_PID: '9', LISTEN_FDS: '3', LISTEN_FDNAMES: 'web:odd:admin', OTHER: 'x' }
  const described = { host: '::', port: 80, path: undefined, ipv6Only: false }
  const { sockets, warnings } = readActivation(env, 9, (fd) => (fd === 4 ? undefined : described))
  assert.equal(env as object, { OTHER: 'x' })
  assert.equal(sockets, [
    { ...described, fd: 3, askedPort: undefined, number: undefined, isManaged: true },
    { ...described, fd: 5, askedPort: undefined, number: undefined, isManaged: true },
  ])
  assert.is(warnings.length, 1)
  assert.match(warnings[0] as string, /^descriptor 4 \(odd\) /)
})

for (const [title, env] of [
  ['no variables', {}],
  ['another process', { LISTEN_PID: '8', LISTEN_FDS: '1' }],
  ['not a number', { LISTEN_PID: '9', LISTEN_FDS: 'all' }],
  ['none', { LISTEN_PID: '9', LISTEN_FDS: '0' }],
  ['more than a unit can have', { LISTEN_PID: '9', LISTEN_FDS: '100000' }],
] as const) {
  test(`no sockets of a service manager: ${title}`, () => {
    const given: NodeJS.ProcessEnv = { ...env }
    assert.equal(
      readActivation(given, 9, () => assert.unreachable() as undefined),
      { sockets: [], warnings: [] },
    )
    assert.equal(given, {})
  })
}

function settingsWith(config: object): ReturnType<typeof resolveSettings> {
  return resolveSettings({ app: import.meta.filename, ...config }, { folder, env: {} })
}

function from(ticketKeys: { id: number; secret: string }[]): Startup {
  return new Startup(new InheritedSockets([]), { startMessage: { ticketKeys } } as unknown as OldPrimaryLink)
}

test('tickets of the old primary stay valid', () => {
  const secret = Buffer.from('its own secret')
  const old = { id: 7, secret: secret.toString('base64') }
  const own = settingsWith({})
  assert.equal(from([old]).applyTo({ settings: own, knowsSecret: false }).ticketKeys, [{ id: 7, secret }])
  assert.equal(from([]).applyTo({ settings: own, knowsSecret: false }).ticketKeys, own.ticketKeys)
  const configured = settingsWith({ secret: 'a secret of sixteen' })
  const [key] = configured.ticketKeys
  assert.equal(from([old]).applyTo({ settings: configured, knowsSecret: true }).ticketKeys, [key, { id: 7, secret }])
  // Two keys of the config leave no room for a third. No id appears twice.
  const two = settingsWith({ secret: ['a secret of sixteen', 'another secret, longer'] })
  assert.equal(from([old]).applyTo({ settings: two, knowsSecret: true }).ticketKeys, two.ticketKeys)
  const same = [{ id: key?.id as number, secret: 'AAAA' }]
  assert.equal(from(same).applyTo({ settings: configured, knowsSecret: true }).ticketKeys, [key])
})

test('without `listen` in the config the primary listens on the service manager’s sockets, claimed or not', async () => {
  const managed = { isManaged: true, number: undefined }
  const sockets = new InheritedSockets([socket(3, { ...managed, host: '::', port: 80 }), socket(4, { ...managed, path: '/run/a.sock' })])
  const startup = new Startup(sockets)
  const fresh = { settings: settingsWith({}), knowsSecret: false }
  const addresses = () => startup.applyTo(fresh).listen?.map(({ host, port, path }) => [host, port, path])
  assert.equal(addresses(), [
    ['::', 80, undefined],
    [undefined, undefined, '/run/a.sock'],
  ])
  await sockets.claim({ path: '/run/a.sock' }, true)
  assert.is(addresses()?.length, 2)
  const named = { settings: settingsWith({ listen: 3000 }), knowsSecret: false }
  assert.equal(startup.applyTo(named).listen, named.settings.listen)
})

test('the restart command keeps the links of the original command line', () => {
  mkdirSync(join(folder, 'one'))
  symlinkSync(join(folder, 'one'), join(folder, 'current'))
  const [real, link] = [join(folder, 'one'), join(folder, 'current')]
  assert.is(folderAsWritten(link, real), link)
  assert.is(folderAsWritten(undefined, real), real)
  assert.is(folderAsWritten('current', real), real)
  assert.is(folderAsWritten(join(folder, 'gone'), real), real)
  assert.is(folderAsWritten(folder, real), real)

  const started = {
    execPath: '/real/node',
    execArgv: ['--import', 'x'],
    argv: ['/real/node', `${real}/bin/balancer.js`, 'start', '-i', '2'],
  }
  assert.equal(restartCommand({ ...started, argv0: 'node' }, link, real), {
    file: '/real/node',
    args: ['--import', 'x', `${link}/bin/balancer.js`, 'start', '-i', '2'],
    cwd: link,
  })
  // A written path that still exists is kept, since it may be a link to another version by now.
  assert.is(restartCommand({ ...started, argv0: process.execPath }, real, real).file, process.execPath)
  assert.is(restartCommand({ ...started, argv0: '/gone/node' }, real, real).file, '/real/node')
  // A path outside the folder or without a link does not change.
  assert.is(restartCommand({ ...started, argv0: 'node', argv: ['node', '/usr/bin/balancer'] }, link, real).args[2], '/usr/bin/balancer')
  assert.is(restartCommand({ ...started, argv0: 'node' }, real, real).args[2], `${real}/bin/balancer.js`)
})

test('only a child of PID 1 can be the child of a container’s init', () => assert.not.ok(isChildOfInit(process.pid)))

test.run()
