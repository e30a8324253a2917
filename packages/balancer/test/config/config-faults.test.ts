// All faults of a config are reported together, each with its path, what was expected and what was found.

import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { didYouMean, formatPath } from '../../src/config/faults.ts'
import { errorOf, type FaultCase, faultsOf, folder } from './fault-finder.ts'

const test = suite('config faults')

const table: FaultCase[] = [
  [
    'an unknown pool',
    { pools: { web: {}, heavy: {} }, routes: [{}, {}, { pool: 'heavi' }] },
    ["routes[2].pool: there is no pool 'heavi' (did you mean 'heavy'?)"],
  ],
  [
    'a listener that is no address',
    { routes: [{ listener: 'x:y' }] },
    ["routes[0].listener: expected a port, 'host:port', '[::1]:port' or the path of a socket, got 'x:y'"],
  ],
  ['a listener on port 0', { routes: [{}, { listener: '127.0.0.1:0' }] }, ['routes[1].listener: expected a port from 1, got 0']],
  [
    'a listener that is no port',
    { routes: [{ listener: 70000 }] },
    ["routes[0].listener: expected a port from 1 to 65535, 'host:port' or the path of a socket, got 70000"],
  ],
  ['an unknown pool with no similar name', { routes: [{ pool: 'somewhere' }] }, ["routes[0].pool: there is no pool 'somewhere'"]],
  ['an unknown option', { pool: {} }, ["pool: unknown option (did you mean 'pools'?)"]],
  ['every unknown option', { abcdefg: 1, hijklmn: 2 }, ['abcdefg: unknown option', 'hijklmn: unknown option']],
  [
    'an unknown option inside',
    { pools: { web: { queue: { limits: 3 } } } },
    ["pools.web.queue.limits: unknown option (did you mean 'limit'?)"],
  ],
  [
    'control and name',
    { control: true, name: 'a b' },
    [
      'control: expected the path of a socket or false, got true',
      "name: expected a name: letters, digits, ., - or _, at most 63, got 'a b'",
    ],
  ],
  [
    'the limits of supervision',
    { maxRestarts: -1, restartWindowMs: 0, hangTimeoutMs: -1, shutdownDelayMs: 1e12 },
    [
      'maxRestarts: expected an integer from 0, got -1',
      'restartWindowMs: expected milliseconds from 1 to 2147483647, got 0',
      'hangTimeoutMs: expected milliseconds from 0 to 2147483647, got -1',
      'shutdownDelayMs: expected milliseconds from 0 to 2147483647, got 1000000000000',
    ],
  ],
  ['a port', { listen: 70000 }, ["listen: expected a port from 0 to 65535, 'host:port', the path of a socket or an object, got 70000"]],
  [
    'an address',
    { listen: ['3000', 'localhost'] },
    ["listen[1]: expected a port, 'host:port', '[::1]:port' or the path of a socket, got 'localhost'"],
  ],
  ['the same address twice', { listen: [3000, '127.0.0.1:3000', '*:3000'] }, ['listen[2]: the same address as listen[0]']],
  ['a path and a port', { listen: { port: 1, path: '/a' } }, ['listen: expected either a path or a host and port, got both']],
  [
    'proxyProtocol without a proxy, with one that is none, and a misspelled option',
    {
      listen: [
        { port: 1, proxyProtocol: { from: [] } },
        { port: 2, proxyProtocol: { from: ['lb'], require: true } },
        { port: 3, proxyProtocol: {} },
      ],
    },
    [
      "listen[0].proxyProtocol.from: expected at least one address, or a CIDR such as '10.0.0.0/8', got an empty list",
      "listen[1].proxyProtocol.from[0]: expected an address, a CIDR such as '10.0.0.0/8', or 'unix', got 'lb'",
      "listen[1].proxyProtocol.require: unknown option (did you mean 'required'?)",
      'listen[2].proxyProtocol.from: is missing',
    ],
  ],
  [
    'proxyProtocol where no header can be read, or none need come',
    {
      listen: { port: 1, peek: false, proxyProtocol: { from: ['unix'], required: false } },
      unbalanced: [{ port: 2, proxyProtocol: { from: ['unix'] } }],
    },
    [
      "listen.proxyProtocol: 'required: false' needs 'peek': a server that speaks first would wait for a client that waits for it",
      'unbalanced[0].proxyProtocol: the kernel passes these connections to the workers, so no header can be read',
    ],
  ],
  ['unbalanced without a list', { unbalanced: 9464 }, ['unbalanced: expected a list of addresses, got 9464']],
  [
    'an invalid address in unbalanced',
    { unbalanced: [9464, 'metrics'] },
    ["unbalanced[1]: expected a port, 'host:port', '[::1]:port' or the path of a socket, got 'metrics'"],
  ],
  ['no address', { listen: [] }, ['listen: expected at least one address, got an empty list']],
  ['a pattern', { routes: [{ path: 'cart' }] }, ["routes[0].path: expected it to start with /, got 'cart'"]],
  [
    'an unknown policy',
    { policy: 'least' },
    [
      "policy: expected a policy, a function, 'least-busy', 'least-in-flight', 'round-robin', { least-busy: … } or { sticky: … }, got 'least'",
    ],
  ],
  [
    'a policy without pick',
    { policy: { pick: 1 } },
    [
      "policy: expected a policy, a function, 'least-busy', 'least-in-flight', 'round-robin', { least-busy: … } or { sticky: … }, got an object",
    ],
  ],
  [
    'options of least busy',
    { policy: { 'least-busy': { latency: 1, hotAt: 2, quick: true } } },
    [
      'policy.least-busy.latency: expected true or false, got 1',
      'policy.least-busy.hotAt: expected a number from 0 to 1, got 2',
      'policy.least-busy.quick: unknown option',
    ],
  ],
  ['hotAt without latency', { policy: { 'least-busy': { hotAt: 0.5 } } }, ['policy.least-busy.hotAt: needs latency: true beside it']],
  ['sticky without a key', { policy: { sticky: {} } }, ['policy.sticky.by: is missing']],
  [
    'sticky with two keys',
    { policy: { sticky: { by: { cookie: 'a', query: 'b' } } } },
    [
      "policy.sticky.by: expected 'ticket', 'client-address', or one of { ticket }, { learn }, { cookie }, { header }, { query }, { path-segment }, got an object",
    ],
  ],
  ['breakAt', { policy: { sticky: { by: 'ticket', breakAt: 0.5 } } }, ['policy.sticky.breakAt: expected a number from 1, got 0.5']],
  ['breakFloor', { policy: { sticky: { by: 'ticket', breakFloor: -1 } } }, ['policy.sticky.breakFloor: expected a number from 0, got -1']],
  [
    'a seed for tickets',
    { policy: { sticky: { by: { cookie: 'a' }, otherwise: { sticky: { by: 'ticket', seed: 'a' } } } } },
    ['policy.sticky.otherwise.sticky.seed: remove it: only hashed keys use a seed, and a ticket or a learned cookie is not hashed'],
  ],
  [
    'a learned cookie with an invalid name',
    { policy: { sticky: { by: { learn: 'a b' } } } },
    ["policy.sticky.by.learn: expected the name of a cookie, such as 'connect.sid', got 'a b'"],
  ],
  [
    'a seed for a learned cookie',
    { policy: { sticky: { by: { learn: 'sid' }, seed: 'a' } } },
    ['policy.sticky.seed: remove it: only hashed keys use a seed, and a ticket or a learned cookie is not hashed'],
  ],
  [
    'every option of sessions',
    {
      sessions: {
        url: true,
        keyPrefix: '{a}',
        ttlMs: 0,
        tombstoneMs: 0,
        maxValueBytes: 200_000,
        maxSessions: 0.5,
        maxBytes: 'a lot',
        commandTimeoutMs: -1,
        updateAttempts: '3',
        onOutage: 'ignore',
        nearCache: true,
        breaker: { failures: 0, openMS: 5 },
        cookie: { name: 'a b', path: 'a', domain: 'a;b', sameSite: 'Lax', secure: 'yes' },
        secret: 'short',
        expires: 5,
      },
    },
    [
      'sessions.url: expected the address of Redis or false, got a boolean',
      'sessions.secret: expected a string of at least 16 characters, got a string of 5 characters',
      "sessions.keyPrefix: expected a prefix: letters, digits, ., :, - or _, at most 64, got '{a}'",
      'sessions.ttlMs: expected milliseconds from 1 to 315360000000, got 0',
      'sessions.tombstoneMs: expected milliseconds from 1 to 2147483647, got 0',
      'sessions.maxValueBytes: expected bytes from 1 to 131072, got 200000',
      'sessions.maxSessions: expected a positive integer, got 0.5',
      "sessions.maxBytes: expected bytes from 1048576, or a size such as '512M' or '1.5G', got 'a lot'",
      'sessions.commandTimeoutMs: expected milliseconds from 1 to 2147483647, got -1',
      "sessions.updateAttempts: expected a positive integer, got '3'",
      "sessions.onOutage: expected 'fail', 'read-cached' or 'anonymous', got 'ignore'",
      'sessions.nearCache: expected false or an object, got true',
      'sessions.breaker.failures: expected a positive integer, got 0',
      "sessions.breaker.openMS: unknown option (did you mean 'openMs'?)",
      "sessions.cookie.name: expected the name of a cookie, such as 'connect.sid', got 'a b'",
      "sessions.cookie.path: expected a path such as /, got 'a'",
      "sessions.cookie.domain: expected a domain such as example.com, got 'a;b'",
      "sessions.cookie.sameSite: expected 'lax', 'strict' or 'none', got 'Lax'",
      "sessions.cookie.secure: expected true, false or 'auto', got 'yes'",
      'sessions.expires: unknown option',
    ],
  ],
  ['sessions that are a string', { sessions: 'redis://localhost' }, ["sessions: expected an object, got 'redis://localhost'"]],
  [
    'an address of Redis with a password in it',
    { sessions: { url: 'redis://:hunter2@a,b' } },
    ['sessions.url: several hosts: expected redis+sentinel:// or redis+cluster://'],
  ],
  [
    'the same session secret twice',
    { sessions: { secret: ['a secret of sessions', 'a secret of sessions'] } },
    ['sessions.secret: expected two different secrets'],
  ],
  [
    'TLS options without rediss, and a missing file',
    { sessions: { url: 'redis://localhost', tls: { ca: 'ca.pem', key: 'server.js' } } },
    ['sessions.tls: needs a url that begins with rediss', `sessions.tls.ca: there is no file ${join(folder, 'ca.pem')}`],
  ],
  [
    'a cookie that browsers reject',
    { sessions: { cookie: { sameSite: 'none', secure: false } } },
    ["sessions.cookie.secure: expected true or 'auto': browsers drop a cookie with sameSite 'none' that is not secure"],
  ],
  [
    'trusted proxies of a key',
    { policy: { sticky: { by: { 'client-address': { trustedProxies: ['10.0.0.0/8', 'nginx', ''], from: 1 } } } } },
    [
      "policy.sticky.by.client-address.trustedProxies[1]: expected an address, a CIDR such as '10.0.0.0/8', or 'unix', got 'nginx'",
      "policy.sticky.by.client-address.trustedProxies[2]: expected an address, a CIDR such as '10.0.0.0/8', or 'unix', got ''",
      'policy.sticky.by.client-address.from: unknown option',
    ],
  ],
  [
    'adminHosts',
    { adminHosts: ['http://shop'] },
    ["adminHosts[0]: expected a host name without protocol and port, such as 'shop.internal', got 'http://shop'"],
  ],
  ['admin', { admin: 'here' }, ["admin: expected a port, 'host:port' or false, got 'here'"]],
  ['a share', { descriptorShare: 90 }, ['descriptorShare: expected a share above 0, at most 1, got 90']],
  [
    'a time too long for a timer',
    { drainTimeoutMs: 1e12 },
    ['drainTimeoutMs: expected milliseconds from 0 to 2147483647, got 1000000000000'],
  ],
  ['two limits in the wrong order', { restartDelayMs: 60000 }, ['maxRestartDelayMs: expected at least restartDelayMs (60000), got 30000']],
  [
    'a proxy',
    { trustedProxies: ['10.0.0.0/8', '10.0.0.0/99'] },
    ["trustedProxies[1]: expected an address, a CIDR such as '10.0.0.0/8', or 'unix', got '10.0.0.0/99'"],
  ],
  ['equal secrets', { secret: ['0123456789abcdef', '0123456789abcdef'] }, ['secret: expected two different secrets']],
]
for (const [name, config, faults] of table) test(`fault: ${name}`, () => assert.equal(faultsOf(config), faults))

test('a path that is too long for a control socket', () => {
  const [fault] = faultsOf({ control: 'x'.repeat(200) })
  assert.match(fault as string, /^control: expected a socket path of at most 107 bytes, got \d+: /)
})

test('faults of all sections are reported together', () => {
  const faults = faultsOf({ app: 'nowhere.js', listen: 'x', pools: { web: { workers: 0 } }, routes: [{ pool: 'wep' }], admin: 'x' })
  assert.equal(faults, [
    "pools.web.workers: expected a positive integer or 'max', got 0",
    "listen: expected a port, 'host:port', '[::1]:port' or the path of a socket, got 'x'",
    "routes[0].pool: there is no pool 'wep' (did you mean 'web'?)",
    "admin: expected a port, 'host:port' or false, got 'x'",
    `app: there is no app at ${join(folder, 'nowhere.js')}`,
  ])
})

test('a missing app alone has its own error code', () => {
  const error = errorOf({ pools: { web: { app: './nowhere' } } })
  assert.is(error.code, 'ERR_APP_NOT_FOUND')
  assert.is(error.message, `pools.web.app: there is no app at ${join(folder, 'nowhere')}`)
})

test('a pool without an app is a fault', () => {
  const error = errorOf({})
  assert.is(error.code, 'ERR_CONFIG')
  assert.match(error.message, "pools.web.app: no app to run: name its entry file here or in 'app'")
})

for (const config of [undefined, null, 3, 'text', []]) {
  test(`not a config: ${JSON.stringify(config)}`, () =>
    assert.match(errorOf(config).message, 'expected an object (is there an `export default`?)'))
}

test('a secret is never quoted', () => {
  const message = errorOf({ app: 'server.js', secret: 'hunter2', pools: { web: { env: { PASSWORD: 4711 } } } }).message
  assert.match(message, 'secret: expected a string of at least 16 characters, got a string of 7 characters')
  assert.match(message, 'pools.web.env.PASSWORD: expected a string, got a number')
  assert.not.match(message, 'hunter2')
  assert.not.match(message, '4711')
})

test('secrets in the environment are checked too', () => {
  assert.equal(faultsOf({}, { SWITCHYARD_SECRET: 'short' }), ['SWITCHYARD_SECRET: expected secrets of at least 16 characters'])
  assert.equal(faultsOf({}, { SWITCHYARD_SECRET: '0123456789abcdef,1123456789abcdef,2123456789abcdef' }), [
    'SWITCHYARD_SECRET: expected one or two secrets with a comma between, got 3',
  ])
})

test('only a similar name is suggested', () => {
  assert.is(didYouMean('wokrers', ['app', 'workers']), " (did you mean 'workers'?)")
  assert.is(didYouMean('heavi', ['heavy', 'heave']), " (did you mean 'heavy'?)")
  assert.is(didYouMean('x', ['app', 'workers']), '')
  assert.is(didYouMean('', []), '')
})

test('a path has the syntax of JavaScript', () => {
  assert.is(formatPath(['pools', 'a b', 'env', 2, 'x-y']), 'pools["a b"].env[2].x-y')
})

test('an address of Redis in the environment is checked too, and not quoted', () => {
  const url = 'http://user:hunter2@localhost'
  assert.equal(faultsOf({}, { SWITCHYARD_REDIS_URL: url }), [
    "SWITCHYARD_REDIS_URL: expected redis://host:port, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port; to keep sessions in the memory of the primary, write 'sessions: { url: false }'",
  ])
  assert.equal(faultsOf({ sessions: { url: 'redis://localhost', urlFrom: 'REDIS_URL' } }), [
    'sessions.urlFrom: conflicts with sessions.url: remove one of the two',
  ])
  const { message } = errorOf({ app: 'server.js', sessions: { url } })
  assert.not.match(message, 'hunter2')
})

test.run()
