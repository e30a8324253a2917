// Settings of configs without faults: every default filled in, every path absolute.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import {
  clientAddress,
  cookie,
  hash,
  leastBusy,
  type Policy,
  RequestHead,
  roundRobin,
  sticky,
  TicketSeal,
  ticket,
} from '@switchyard/routing'
import { sessionDefaults } from '@switchyard/worker-runtime'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../test/suite.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { defaultLimits } from '../../src/config/limit-options.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { withTicketKeys } from '../../src/sessions/session-secrets.ts'

const test = suite('config settings')
const folder = mkdtempSync(join(tmpdir(), 'switchyard-settings-'))
writeFileSync(join(folder, 'server.js'), '')
atSuiteEnd(() => rmSync(folder, { recursive: true }))

const settingsOf = (config: BalancerConfig, env: NodeJS.ProcessEnv = {}) => resolveSettings(config, { folder, env, cpus: () => 6 })

test('a config needs only an app', () => {
  const settings = settingsOf({ app: './server' })
  assert.equal(settings.pools, [
    {
      name: 'web',
      app: join(folder, 'server.js'),
      upstream: undefined,
      args: [],
      execArgv: [],
      sourceMaps: true,
      cwd: folder,
      env: {},
      slotVariable: 'NODE_APP_INSTANCE',
      onOutage: 'retry',
      workers: 6,
      listens: true,
      schedule: undefined,
      restartAt: undefined,
      queueLimit: 1024,
      queueTimeoutMs: 5000,
      concurrency: Number.POSITIVE_INFINITY,
      weights: [],
      slowStart: undefined,
      rest: 'auto',
      reload: { maxSurge: 1, settleMs: 1500 },
      memory: { softBytes: Number.POSITIVE_INFINITY, hardBytes: Number.POSITIVE_INFINITY },
      maxRequests: Number.POSITIVE_INFINITY,
      maxAgeMs: Number.POSITIVE_INFINITY,
      nice: undefined,
      uid: undefined,
      gid: undefined,
      readyWhen: undefined,
      readyMessage: false,
      healthWhen: undefined,
      outliers: undefined,
      autoscale: undefined,
      maxConnectionAgeMs: Number.POSITIVE_INFINITY,
      drainSpreadMs: 5000,
      drainReturnMs: 1000,
      stopSignal: undefined,
      stopTimeoutMs: undefined,
      shutdownMessage: false,
      stopExitCodes: [],
    },
  ])
  assert.is(settings.control, undefined)
  assert.is(settings.name, basename(folder))
  assert.is(settings.listen, undefined)
  assert.equal(settings.unbalanced, [])
  assert.equal(settings.routes, [])
  assert.is(settings.defaultPolicy.name, 'least-busy')
  assert.equal(settings.admin, { host: '127.0.0.1', port: 9400, explicit: false, names: [] })
  assert.equal(settings.limits, defaultLimits)
  assert.is(settings.ticketKeys.length, 1)
})

test('proxyProtocol of a listener: a header is required unless the config says otherwise', () => {
  const listen = [
    { port: 443, proxyProtocol: { from: ['10.0.0.0/8', 'unix'] } },
    { path: '/run/a.sock', proxyProtocol: { from: ['unix'], required: false } },
    3000,
  ]
  const settings = settingsOf({ app: './server.js', listen })
  assert.equal(
    settings.listen?.map(({ proxyProtocol }) => proxyProtocol),
    [{ from: ['10.0.0.0/8', 'unix'], required: true }, { from: ['unix'], required: false }, undefined],
  )
})

test('unbalanced takes addresses in the forms of listen', () => {
  const { unbalanced } = settingsOf({ app: 'server.js', unbalanced: [9464, '127.0.0.1:9229', 'unix:debug.sock', { port: 1, host: '::1' }] })
  assert.equal(
    unbalanced.map(({ host, port, path }) => host ?? port ?? path),
    [9464, '127.0.0.1', join(folder, 'debug.sock'), '::1'],
  )
})

test('the path of the control socket starts from the folder of the config; false means none', () => {
  const controlOf = (control: BalancerConfig['control']) => settingsOf({ app: 'server.js', control }).control
  assert.is(controlOf('run/control.sock'), join(folder, 'run/control.sock'))
  assert.is(controlOf('/run/control.sock'), '/run/control.sock')
  assert.is(controlOf(false), false)
  assert.is(controlOf(undefined), undefined)
})

test('the name is the configured one, else that of the folder', () => {
  assert.is(settingsOf({ app: 'server.js', name: 'shop-1.eu' }).name, 'shop-1.eu')
  const nameIn = (name: string) => {
    mkdirSync(join(folder, name), { recursive: true })
    writeFileSync(join(folder, name, 'server.js'), '')
    return resolveSettings({ app: 'server.js' }, { folder: join(folder, name), env: {} }).name
  }
  assert.is(nameIn('.my shop (1)'), 'my-shop--1-')
  assert.is(nameIn('...'), 'balancer')
})

test('a hang timeout of 0 means never', () => {
  assert.is(settingsOf({ app: 'server.js', hangTimeoutMs: 0 }).limits.hangTimeoutMs, Number.POSITIVE_INFINITY)
})

test('routes get a name, the first pool and the default policy', () => {
  const own = roundRobin()
  const { routes, defaultPolicy } = settingsOf({
    app: 'server.js',
    pools: { web: {}, heavy: {} },
    routes: [
      { path: '/reports/*', pool: 'heavy' },
      { method: 'POST', path: '/v2/*', policy: own },
      { path: '/a', name: 'the a', policy: (candidates) => candidates[0] },
      { path: '/*' },
      { pool: 'heavy' },
    ],
  })
  assert.equal(
    routes.map(({ name, pool, match }) => [name, pool, match]),
    [
      ['/reports/*', 'heavy', { path: '/reports/*' }],
      ['POST /v2/*', 'web', { method: 'POST', path: '/v2/*' }],
      ['the a', 'web', { path: '/a' }],
      ['/*', 'web', { path: '/*' }],
      ['/*', 'heavy', {}],
    ],
  )
  assert.is(routes[1]?.policy, own, 'a policy stays the same object')
  assert.is(routes[3]?.policy, defaultPolicy, 'routes of one pool share the default policy')
  assert.is(routes[0]?.policy, routes[4]?.policy)
  assert.is.not(routes[0]?.policy, defaultPolicy, 'each pool has its own default policy')
})

const named: [policy: BalancerConfig['policy'], name: string][] = [
  ['least-busy', 'least-busy'],
  [{ 'least-busy': {} }, 'least-busy'],
  [{ 'least-busy': { latency: true, hotAt: 0.9 } }, 'least-busy'],
  [{ sticky: { by: 'ticket', otherwise: { 'least-busy': { latency: true } } } }, 'sticky-ticket'],
  ['least-in-flight', 'least-in-flight'],
  ['round-robin', 'round-robin'],
  [{ sticky: { by: 'ticket' } }, 'sticky-ticket'],
  [{ sticky: { by: { ticket: { cookie: 'seat' } }, otherwise: 'round-robin', breakAt: 2 } }, 'sticky-ticket'],
  [{ sticky: { by: { learn: 'connect.sid' } } }, 'sticky-learned'],
  [{ sticky: { by: { cookie: 'connect.sid' } } }, 'sticky-hash'],
  [{ sticky: { by: { header: 'x-user' }, otherwise: { sticky: { by: 'client-address' } } } }, 'sticky-hash'],
  [{ sticky: { by: { query: 'id' } } }, 'sticky-hash'],
  [{ sticky: { by: { 'path-segment': 1 } } }, 'sticky-hash'],
  [{ sticky: { by: { 'client-address': {} } } }, 'sticky-hash'],
  [{ sticky: { by: { 'client-address': { trustedProxies: ['unix'], header: 'x-real-ip' } }, seed: 'a', breakFloor: 0 } }, 'sticky-hash'],
]
for (const [policy, name] of named) {
  test(`a policy as JSON: ${JSON.stringify(policy)}`, () =>
    assert.is(settingsOf({ app: 'server.js', policy: JSON.parse(JSON.stringify(policy)) }).defaultPolicy.name, name))
}

test('decisions are recorded for readers only, and no response explains them, unless the config says so', () => {
  const { decisions, explainTo, advice } = settingsOf({ app: 'server.js' })
  assert.equal([decisions, explainTo, advice], [false, [], true])
  assert.is(settingsOf({ app: 'server.js', advice: false }).advice, false)
  const set = settingsOf({ app: 'server.js', decisions: true, explainTo: ['127.0.0.1', '10.0.0.0/8', 'unix'] })
  assert.equal([set.decisions, set.explainTo.length], [true, 3])
  for (const [config, fault] of [
    [{ decisions: 'yes' }, /decisions: expected true or false, got 'yes'/],
    [{ explainTo: ['localhost'] }, /explainTo\[0\]: expected an address, a CIDR such as '10\.0\.0\.0\/8', or 'unix', got 'localhost'/],
  ] as const)
    assert.throws(() => settingsOf({ app: 'server.js', ...config } as never), fault)
})

test('the client address in JSON trusts the trusted proxies', () => {
  const { defaultPolicy, clientAddress } = settingsOf({
    app: 'server.js',
    trustedProxies: ['10.0.0.0/8'],
    policy: { sticky: { by: 'client-address' } },
  })
  const head = RequestHead.of({ target: '/', headers: { 'x-forwarded-for': '203.0.113.7' } })
  head.remoteAddress = '10.1.2.3'
  assert.is(clientAddress.of(head), '203.0.113.7')
  assert.is((defaultPolicy as Required<Policy>).key(head)?.value, '203.0.113.7')
})

test('the data of a policy made by code is a valid policy in JSON', () => {
  const policies = [sticky({ by: ticket({ cookie: 'seat' }), breakAt: 2 }), sticky({ by: hash(cookie('a'), { seed: 's' }), breakFloor: 3 })]
  for (const policy of [
    ...policies,
    leastBusy(),
    leastBusy({ latency: true }),
    roundRobin(),
    sticky({ by: hash(clientAddress({ header: 'x-real-ip' })), otherwise: policies[0] as Policy }),
  ]) {
    const { data } = policy
    assert.equal(settingsOf({ app: 'server.js', policy: JSON.parse(JSON.stringify(data)) }).defaultPolicy.data, data)
  }
})

const admins: [BalancerConfig['admin'], unknown][] = [
  [false, undefined],
  [9500, { host: '127.0.0.1', port: 9500, explicit: true, names: [] }],
  [':9500', { host: '127.0.0.1', port: 9500, explicit: true, names: [] }],
  ['0.0.0.0:9500', { host: '0.0.0.0', port: 9500, explicit: true, names: [] }],
  ['[::1]:0', { host: '::1', port: 0, explicit: true, names: [] }],
]
for (const [admin, expected] of admins)
  test(`admin ${JSON.stringify(admin)}`, () => assert.equal(settingsOf({ app: 'server.js', admin }).admin, expected))

test('a host name in admin is one under which the page answers, like those of adminHosts', () => {
  const { admin } = settingsOf({ app: 'server.js', admin: 'Shop.internal:9400', adminHosts: ['Metrics.internal'] })
  assert.equal(admin?.names, ['metrics.internal', 'shop.internal'])
})

test('each limit has its own default', () => {
  assert.equal(settingsOf({ app: 'server.js', drainTimeoutMs: 0, maxHeadBytes: undefined }).limits, { ...defaultLimits, drainTimeoutMs: 0 })
})

test('a ticket stays valid over a change of secret', () => {
  const [older, newer] = ['an older secret of ours', 'a newer secret of ours']
  const contents = { slot: 3, generation: 1, pool: 'web', expiresAtMs: 2e12 }
  const before = new TicketSeal(settingsOf({ app: 'server.js', secret: older }).ticketKeys).issue(contents)
  const sealOf = (config: BalancerConfig, env?: NodeJS.ProcessEnv) =>
    new TicketSeal(settingsOf({ app: 'server.js', ...config }, env).ticketKeys)
  assert.equal(sealOf({ secret: [newer, older] }).open(before, 'web', 1e12), { slot: 3, generation: 1 })
  assert.equal(sealOf({}, { SWITCHYARD_SECRET: `${newer}, ${older}` }).open(before, 'web', 1e12), { slot: 3, generation: 1 })
  assert.is(sealOf({ secret: newer }).open(before, 'web', 1e12), undefined)
  assert.is(sealOf({}).open(before, 'web', 1e12), undefined, 'without a secret each start has a random one')
})

test('sessions are kept in the primary unless the config or the environment names Redis', () => {
  const sessionsOf = (sessions: BalancerConfig['sessions'], env?: NodeJS.ProcessEnv) =>
    settingsOf({ app: 'server.js', sessions }, env).sessions
  const { secrets, ...rest } = sessionsOf(undefined)
  assert.equal({ ...rest, secrets: [] }, sessionDefaults)
  assert.is(secrets.length, 1)
  const [url, other] = ['redis://cache:6379/1', 'redis://other:6379']
  assert.is(sessionsOf(undefined, { SWITCHYARD_REDIS_URL: url }).url, url)
  assert.is(sessionsOf({}, { SWITCHYARD_REDIS_URL: '' }).url, undefined)
  assert.is(sessionsOf({ url: 'rediss://other' }, { SWITCHYARD_REDIS_URL: url }).url, 'rediss://other')
  assert.is(sessionsOf({ url: false }, { SWITCHYARD_REDIS_URL: url }).url, undefined)
  for (const sessions of [undefined, {}, { ttlMs: 1 }])
    assert.is(sessionsOf(sessions, { REDIS_URL: url }).url, undefined, "the app's own variable")
  assert.is(sessionsOf({ urlFrom: 'REDIS_URL' }, { REDIS_URL: url, SWITCHYARD_REDIS_URL: other }).url, url)
  assert.is(sessionsOf({ urlFrom: 'REDIS_URL' }, { SWITCHYARD_REDIS_URL: other }).url, undefined)
  assert.is(sessionsOf({ urlFrom: 'REDIS_URL' }, { REDIS_URL: 'unix:///run/redis.sock' }).url, undefined)
})

test('session options override the defaults one by one', () => {
  const { sessions } = settingsOf(
    JSON.parse(
      JSON.stringify({
        app: 'server.js',
        sessions: {
          url: 'rediss://localhost',
          tls: { ca: 'server.js' },
          ttlMs: 1,
          maxBytes: '2M',
          onOutage: 'anonymous',
          nearCache: { maxEntries: 5 },
          breaker: { openMs: 7 },
          cookie: { name: 'visit', sameSite: 'strict' },
        },
      }),
    ),
  )
  assert.equal(
    { ...sessions, secrets: [] },
    {
      ...sessionDefaults,
      url: 'rediss://localhost',
      tls: { ca: join(folder, 'server.js') },
      ttlMs: 1,
      maxBytes: 2_097_152,
      onOutage: 'anonymous',
      nearCache: { ...sessionDefaults.nearCache, maxEntries: 5 },
      breaker: { ...sessionDefaults.breaker, openMs: 7 },
      cookie: { ...sessionDefaults.cookie, name: 'visit', sameSite: 'strict' },
    },
  )
  assert.is(settingsOf({ app: 'server.js', sessions: { nearCache: false } }).sessions.nearCache, undefined)
})

test('session ids are signed with their own secrets, else with secrets derived from those of tickets', () => {
  const [older, newer] = ['an older secret of ours', 'a newer secret of ours']
  const secretsOf = (config: BalancerConfig, env?: NodeJS.ProcessEnv) => settingsOf({ app: 'server.js', ...config }, env).sessions.secrets
  const both = secretsOf({ secret: [newer, older] })
  assert.equal(both, [...secretsOf({ secret: newer }), ...secretsOf({ secret: older })])
  assert.equal(secretsOf({}, { SWITCHYARD_SECRET: `${newer},${older}` }), both)
  assert.equal(secretsOf({ secret: 'something else entirely', sessions: { secret: [newer, older] } }), both)
  assert.not.equal(secretsOf({}), secretsOf({}), 'without a secret each start has a random one')
  for (const secret of both) {
    assert.match(secret, /^[\w-]{43}$/)
    assert.not.match(secret, older)
  }
})

test('session secrets follow a change of ticket keys, unless they are configured', () => {
  const { ticketKeys } = settingsOf({ app: 'server.js', secret: 'an older secret of ours' })
  const old = settingsOf({ app: 'server.js', secret: 'an older secret of ours' }).sessions.secrets
  assert.equal(withTicketKeys(settingsOf({ app: 'server.js' }), ticketKeys).sessions.secrets, old)
  const own = settingsOf({ app: 'server.js', sessions: { secret: 'a secret of sessions' } })
  assert.equal(withTicketKeys(own, ticketKeys).sessions, own.sessions)
})

test.run()
