// What is wrong with a config comes all at once, each fault with its path, what was expected and what came.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../test/suite.ts'
import { didYouMean, formatPath } from '../../src/config/faults.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { BalancerError } from '../../src/errors.ts'

const test = suite('config faults')
const folder = mkdtempSync(join(tmpdir(), 'switchyard-config-'))
writeFileSync(join(folder, 'server.js'), '')
atSuiteEnd(() => rmSync(folder, { recursive: true }))

/** A machine with two users, of which root runs this unless told otherwise. */
const machine: Record<string, string> = {
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nwww:x:33:34::/:/bin/sh\n',
  '/etc/group': 'root:x:0:\n',
}

function errorOf(config: unknown, env: NodeJS.ProcessEnv = {}, user = 0): BalancerError {
  try {
    const users = { own: () => user, read: (path: string) => machine[path] }
    resolveSettings(config, { folder, env, cpus: () => 4, users })
  } catch (error) {
    assert.instance(error, BalancerError)
    return error as BalancerError
  }
  throw new Error('no fault was found')
}

const faultsOf = (config: object, env?: NodeJS.ProcessEnv) =>
  errorOf({ app: 'server.js', ...config }, env)
    .message.split('\n')
    .slice(1)
    .map((line) => line.trim())

const table: [name: string, config: object, faults: string[]][] = [
  ['workers', { pools: { web: { workers: 0 } } }, ["pools.web.workers: expected a positive integer or 'max', got 0"]],
  ['half a worker', { pools: { web: { workers: 1.5 } } }, ["pools.web.workers: expected a positive integer or 'max', got 1.5"]],
  [
    'workers by another word',
    { pools: { web: { workers: 'all' } } },
    ["pools.web.workers: expected a positive integer or 'max', got 'all'"],
  ],
  [
    'a pool that is not there',
    { pools: { web: {}, heavy: {} }, routes: [{}, {}, { pool: 'heavi' }] },
    ["routes[2].pool: there is no pool 'heavi' (did you mean 'heavy'?)"],
  ],
  ['a pool far from any', { routes: [{ pool: 'somewhere' }] }, ["routes[0].pool: there is no pool 'somewhere'"]],
  ['an unknown option', { pool: {} }, ["pool: unknown option (did you mean 'pools'?)"]],
  ['every unknown option', { abcdefg: 1, hijklmn: 2 }, ['abcdefg: unknown option', 'hijklmn: unknown option']],
  [
    'an unknown option inside',
    { pools: { web: { queue: { limits: 3 } } } },
    ["pools.web.queue.limits: unknown option (did you mean 'limit'?)"],
  ],
  ['no pools', { pools: {} }, ['pools: expected at least one pool, got an empty object']],
  [
    'weights',
    { pools: { web: { weights: [1, 0, -1, 'much'] }, heavy: { weights: 2 } } },
    [
      'pools.web.weights[1]: expected a number above 0, got 0',
      'pools.web.weights[2]: expected a number above 0, got -1',
      "pools.web.weights[3]: expected a number above 0, got 'much'",
      'pools.heavy.weights: expected a list of weights, got 2',
    ],
  ],
  [
    'concurrency',
    { pools: { web: { concurrency: 0 }, heavy: { concurrency: 1.5 } } },
    ['pools.web.concurrency: expected a positive integer, got 0', 'pools.heavy.concurrency: expected a positive integer, got 1.5'],
  ],
  [
    'a slow start',
    {
      pools: {
        web: { slowStart: { from: 0, aggression: 0 } },
        heavy: { slowStart: { windowMs: 0, from: 2, steps: 3 } },
        other: { slowStart: 5000 },
      },
    },
    [
      'pools.web.slowStart.windowMs: is missing',
      'pools.web.slowStart.from: expected a part above 0, at most 1, got 0',
      'pools.web.slowStart.aggression: expected a number above 0, got 0',
      'pools.heavy.slowStart.windowMs: expected milliseconds from 1 to 2147483647, got 0',
      'pools.heavy.slowStart.from: expected a part above 0, at most 1, got 2',
      'pools.heavy.slowStart.steps: unknown option',
      'pools.other.slowStart: expected an object, got 5000',
    ],
  ],
  [
    'a reload',
    { pools: { web: { reload: { maxSurge: 0, settleMs: -1, surge: 2 } }, heavy: { reload: 2 } } },
    [
      'pools.web.reload.maxSurge: expected a positive integer, got 0',
      'pools.web.reload.settleMs: expected milliseconds from 0 to 2147483647, got -1',
      'pools.web.reload.surge: unknown option',
      'pools.heavy.reload: expected an object, got 2',
    ],
  ],
  [
    'sizes',
    {
      pools: {
        web: { maxMemory: { soft: '512', hard: 512 } },
        heavy: { maxMemory: { soft: 'much', hard: true } },
        other: { maxMemory: '512M' },
      },
    },
    [
      "pools.web.maxMemory.soft: expected bytes from 1048576, or a text such as '512M' or '1.5G', got '512'",
      "pools.web.maxMemory.hard: expected bytes from 1048576, or a text such as '512M' or '1.5G', got 512",
      "pools.heavy.maxMemory.soft: expected bytes from 1048576, or a text such as '512M' or '1.5G', got 'much'",
      "pools.heavy.maxMemory.hard: expected bytes from 1048576, or a text such as '512M' or '1.5G', got true",
      "pools.other.maxMemory: expected an object, got '512M'",
    ],
  ],
  [
    'a hard limit below the soft one',
    { pools: { web: { maxMemory: { soft: '1G', hard: '512M' } } } },
    ['pools.web.maxMemory.hard: expected at least soft (1G), got 512M'],
  ],
  [
    'limits of a worker',
    { pools: { web: { maxRequests: 0, maxAgeMs: 0, nice: -21, maxConnectionAgeMs: 0 }, heavy: { maxAgeMs: 1e12, nice: 1.5 } } },
    [
      'pools.web.maxRequests: expected a positive integer, got 0',
      'pools.web.maxAgeMs: expected milliseconds from 1 to 2147483647, got 0',
      'pools.web.nice: expected an integer from -20 to 19, got -21',
      'pools.web.maxConnectionAgeMs: expected milliseconds from 1 to 2147483647, got 0',
      'pools.heavy.maxAgeMs: expected milliseconds from 1 to 2147483647, got 1000000000000',
      'pools.heavy.nice: expected an integer from -20 to 19, got 1.5',
    ],
  ],
  [
    'probes',
    {
      pools: {
        web: { readyWhen: 'healthz', healthWhen: { status: [400, 200], failures: 0 } },
        heavy: {
          readyWhen: { path: '/a b', status: 99, failures: 3 },
          healthWhen: { path: '/', headers: { 'a b': 'c', d: 'e\nf', g: 1 } },
        },
        other: { readyWhen: 3, healthWhen: { path: '/', status: [200, 300, 400], intervalMs: 0, timeoutMs: 0 } },
      },
    },
    [
      "pools.web.readyWhen: expected a path such as /healthz, percent-encoded, got 'healthz'",
      'pools.web.healthWhen.path: is missing',
      'pools.web.healthWhen.status: expected a status from 100 to 599, or the first and the last: [200, 399], got a list',
      'pools.web.healthWhen.failures: expected a positive integer, got 0',
      "pools.heavy.readyWhen.path: expected a path such as /healthz, percent-encoded, got '/a b'",
      'pools.heavy.readyWhen.status: expected a status from 100 to 599, or the first and the last: [200, 399], got 99',
      'pools.heavy.readyWhen.failures: unknown option',
      'pools.heavy.healthWhen.headers["a b"]: expected the name of a header field, got one of 3',
      'pools.heavy.healthWhen.headers.d: expected a text that a header field may have, got one of 3',
      'pools.heavy.healthWhen.headers.g: expected a text, got a number',
      'pools.other.readyWhen: expected a path or an object, got 3',
      'pools.other.healthWhen.status: expected a status from 100 to 599, or the first and the last: [200, 399], got a list',
      'pools.other.healthWhen.intervalMs: expected milliseconds from 1 to 2147483647, got 0',
      'pools.other.healthWhen.timeoutMs: expected milliseconds from 1 to 2147483647, got 0',
    ],
  ],
  [
    'outliers',
    {
      pools: {
        web: { outliers: { errorShare: 0, latencyFactor: 1, maxEjectedShare: 2, panicThreshold: -1, minRequests: 0 } },
        heavy: { outliers: 1 },
        other: { outliers: { baseEjectionMs: 600000 } },
      },
    },
    [
      'pools.web.outliers.minRequests: expected a positive integer, got 0',
      'pools.web.outliers.errorShare: expected a share above 0, at most 1, got 0',
      'pools.web.outliers.latencyFactor: expected a number above 1, got 1',
      'pools.web.outliers.maxEjectedShare: expected a share above 0, at most 1, got 2',
      'pools.web.outliers.panicThreshold: expected a share from 0 to 1, got -1',
      'pools.heavy.outliers: expected true, false or an object, got 1',
      'pools.other.outliers.maxEjectionMs: expected at least baseEjectionMs (600000), got 300000',
    ],
  ],
  [
    'autoscale',
    {
      pools: {
        web: { autoscale: { min: 0, max: 'all', target: 1.5, upAfterMs: 0 } },
        heavy: { autoscale: { min: 3, max: 2 }, workers: 9 },
        other: { autoscale: { min: 3, max: 5 }, workers: 2 },
        more: { autoscale: { min: 3 }, workers: 2 },
      },
    },
    [
      'pools.web.autoscale.min: expected a positive integer, got 0',
      "pools.web.autoscale.max: expected a positive integer or 'max', got 'all'",
      'pools.web.autoscale.target: expected a share above 0, at most 1, got 1.5',
      'pools.web.autoscale.upAfterMs: expected milliseconds from 1 to 2147483647, got 0',
      'pools.heavy.autoscale.max: expected at least min (3), got 2',
      'pools.other.workers: expected from 3 to 5, as autoscale says, got 2',
      'pools.more.workers: expected at least 3, as autoscale says, got 2',
    ],
  ],
  [
    'a spread or a wait longer than the drain',
    { drainTimeoutMs: 1000, pools: { web: { drainSpreadMs: 2000 }, heavy: { drainReturnMs: 3000 } } },
    [
      'pools.web.drainSpreadMs: expected at most drainTimeoutMs (1000), got 2000',
      'pools.heavy.drainReturnMs: expected at most drainTimeoutMs (1000), got 3000',
    ],
  ],
  [
    'a signal that ends no app',
    { pools: { web: { stopSignal: 'SIGKILL', stopTimeoutMs: -1 } } },
    [
      "pools.web.stopSignal: expected 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT' or 'SIGUSR2', got 'SIGKILL'",
      'pools.web.stopTimeoutMs: expected milliseconds from 0 to 2147483647, got -1',
    ],
  ],
  [
    'users that make no sense',
    { pools: { web: { uid: -1, gid: true }, heavy: { uid: '' } } },
    [
      'pools.web.uid: expected a number or the name of a user, got -1',
      'pools.web.gid: expected a number or the name of a group, got true',
      "pools.heavy.uid: expected a number or the name of a user, got ''",
    ],
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
  ['a pool that is a number', { pools: { web: 3 } }, ['pools.web: expected an object, got 3']],
  [
    'a pool with a bad name',
    { pools: { '1a': {} } },
    ['pools["1a"]: expected a pool name: a letter, then letters, digits, - or _, got \'1a\''],
  ],
  ['a port', { listen: 70000 }, ["listen: expected a port from 0 to 65535, 'host:port', the path of a socket or an object, got 70000"]],
  [
    'an address',
    { listen: ['3000', 'localhost'] },
    ["listen[1]: expected a port, 'host:port', '[::1]:port' or the path of a socket, got 'localhost'"],
  ],
  ['an address twice', { listen: [3000, '127.0.0.1:3000', '*:3000'] }, ['listen[2]: the same address as listen[0]']],
  ['a path and a port', { listen: { port: 1, path: '/a' } }, ['listen: expected either a path or a host and port, got both']],
  ['servers that are not balanced, without a list', { unbalanced: 9464 }, ['unbalanced: expected a list of addresses, got 9464']],
  [
    'an unbalanced address that is none',
    { unbalanced: [9464, 'metrics'] },
    ["unbalanced[1]: expected a port, 'host:port', '[::1]:port' or the path of a socket, got 'metrics'"],
  ],
  ['no address', { listen: [] }, ['listen: expected at least one address, got an empty list']],
  ['a pattern', { routes: [{ path: 'cart' }] }, ["routes[0].path: expected it to start with /, got 'cart'"]],
  [
    'a policy by another name',
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
  ['hotAt without latency', { policy: { 'least-busy': { hotAt: 0.5 } } }, ['policy.least-busy.hotAt: only with latency: true']],
  ['sticky by nothing', { policy: { sticky: {} } }, ['policy.sticky.by: is missing']],
  [
    'sticky by two',
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
    ['policy.sticky.otherwise.sticky.seed: only keys that are hashed have one, a ticket or a learned cookie has not'],
  ],
  [
    'a cookie to learn that can be none',
    { policy: { sticky: { by: { learn: 'a b' } } } },
    ["policy.sticky.by.learn: expected the name of a cookie, such as 'connect.sid', got 'a b'"],
  ],
  [
    'a seed for a learned cookie',
    { policy: { sticky: { by: { learn: 'sid' }, seed: 'a' } } },
    ['policy.sticky.seed: only keys that are hashed have one, a ticket or a learned cookie has not'],
  ],
  [
    'everything in sessions',
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
      'sessions.secret: expected a text of at least 16 characters, got one of 5',
      "sessions.keyPrefix: expected a prefix: letters, digits, ., :, - or _, at most 64, got '{a}'",
      'sessions.ttlMs: expected milliseconds from 1 to 315360000000, got 0',
      'sessions.tombstoneMs: expected milliseconds from 1 to 2147483647, got 0',
      'sessions.maxValueBytes: expected bytes from 1 to 131072, got 200000',
      'sessions.maxSessions: expected a positive integer, got 0.5',
      "sessions.maxBytes: expected bytes from 1048576, or a text such as '512M' or '1.5G', got 'a lot'",
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
  ['sessions that are none', { sessions: 'redis://localhost' }, ["sessions: expected an object, got 'redis://localhost'"]],
  [
    'an address of Redis with a password in it',
    { sessions: { url: 'redis://:hunter2@a,b' } },
    ['sessions.url: several hosts: expected redis+sentinel:// or redis+cluster://'],
  ],
  [
    'the same secret of sessions twice',
    { sessions: { secret: ['a secret of sessions', 'a secret of sessions'] } },
    ['sessions.secret: expected two different secrets'],
  ],
  [
    'TLS without TLS, and without its files',
    { sessions: { url: 'redis://localhost', tls: { ca: 'ca.pem', key: 'server.js' } } },
    ['sessions.tls: only with a url that begins with rediss', `sessions.tls.ca: there is no file ${join(folder, 'ca.pem')}`],
  ],
  [
    'a cookie that browsers drop',
    { sessions: { cookie: { sameSite: 'none', secure: false } } },
    ["sessions.cookie.secure: expected true or 'auto': browsers drop a cookie with sameSite 'none' that is not secure"],
  ],
  [
    'a proxy of a key',
    { policy: { sticky: { by: { 'client-address': { trustedProxies: ['10.0.0.0/8', 'nginx', ''], from: 1 } } } } },
    [
      "policy.sticky.by.client-address.trustedProxies[1]: expected an address, a CIDR such as '10.0.0.0/8', or 'unix', got 'nginx'",
      "policy.sticky.by.client-address.trustedProxies[2]: expected an address, a CIDR such as '10.0.0.0/8', or 'unix', got ''",
      'policy.sticky.by.client-address.from: unknown option',
    ],
  ],
  ['admin', { admin: 'here' }, ["admin: expected a port, 'host:port' or false, got 'here'"]],
  ['a share', { descriptorShare: 90 }, ['descriptorShare: expected a share above 0, at most 1, got 90']],
  [
    'a time too long for a timer',
    { drainTimeoutMs: 1e12 },
    ['drainTimeoutMs: expected milliseconds from 0 to 2147483647, got 1000000000000'],
  ],
  ['two limits together', { restartDelayMs: 60000 }, ['maxRestartDelayMs: expected at least restartDelayMs (60000), got 30000']],
  [
    'a proxy',
    { trustedProxies: ['10.0.0.0/8', '10.0.0.0/99'] },
    ["trustedProxies[1]: expected an address, a CIDR such as '10.0.0.0/8', or 'unix', got '10.0.0.0/99'"],
  ],
  ['equal secrets', { secret: ['0123456789abcdef', '0123456789abcdef'] }, ['secret: expected two different secrets']],
]

for (const [name, config, faults] of table) test(`fault: ${name}`, () => assert.equal(faultsOf(config), faults))

test('a control socket with too long a path', () => {
  const [fault] = faultsOf({ control: 'x'.repeat(200) })
  assert.match(fault as string, /^control: expected a socket path of at most 107 bytes, got \d+: /)
})

test('users and groups that are not there', () => {
  assert.equal(
    faultsOf({ pools: { web: { uid: 'wwww' }, heavy: { uid: 4711 }, other: { uid: 'www', gid: 'wwww' }, more: { uid: 4711, gid: 4711 } } }),
    [
      "pools.web.uid: there is no user 'wwww' in /etc/passwd",
      'pools.heavy.gid: is missing: the user 4711 is not in /etc/passwd, which would tell its group',
      "pools.other.gid: there is no group 'wwww' in /etc/group",
    ],
  )
})

test('only root starts workers as somebody else', () => {
  const config = { app: 'server.js', pools: { web: { uid: 'www' }, heavy: { uid: 0 }, other: { gid: 0 } } }
  assert.equal(errorOf(config, {}, 33).message.split('\n').slice(1), [
    '  pools.heavy.uid: only root may start workers as another user',
    '  pools.other.gid: only root may start workers as another user',
  ])
})

test('faults of every part come together', () => {
  const faults = faultsOf({ app: 'nowhere.js', listen: 'x', pools: { web: { workers: 0 } }, routes: [{ pool: 'wep' }], admin: 'x' })
  assert.equal(faults, [
    "pools.web.workers: expected a positive integer or 'max', got 0",
    "listen: expected a port, 'host:port', '[::1]:port' or the path of a socket, got 'x'",
    "routes[0].pool: there is no pool 'wep' (did you mean 'web'?)",
    "admin: expected a port, 'host:port' or false, got 'x'",
    `app: there is no app at ${join(folder, 'nowhere.js')}`,
  ])
})

test('a missing app alone has its own code', () => {
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
  test(`no config at all: ${JSON.stringify(config)}`, () =>
    assert.match(errorOf(config).message, 'expected an object (is there an `export default`?)'))
}

test('a header field of a probe may be a secret', () => {
  const probe = { path: '/', headers: { authorization: 'Bearer\nhunter2' } }
  assert.not.match(errorOf({ app: 'server.js', pools: { web: { readyWhen: probe } } }).message, 'hunter2')
})

test('a secret is never shown', () => {
  const message = errorOf({ app: 'server.js', secret: 'hunter2', pools: { web: { env: { PASSWORD: 4711 } } } }).message
  assert.match(message, 'secret: expected a text of at least 16 characters, got one of 7')
  assert.match(message, 'pools.web.env.PASSWORD: expected a text, got a number')
  assert.not.match(message, 'hunter2')
  assert.not.match(message, '4711')
})

test('secrets of the environment are checked too', () => {
  assert.equal(faultsOf({}, { SWITCHYARD_SECRET: 'short' }), ['SWITCHYARD_SECRET: expected secrets of at least 16 characters'])
  assert.equal(faultsOf({}, { SWITCHYARD_SECRET: '0123456789abcdef,1123456789abcdef,2123456789abcdef' }), [
    'SWITCHYARD_SECRET: expected one or two secrets with a comma between, got 3',
  ])
})

test('a guess is made for near words only', () => {
  assert.is(didYouMean('wokrers', ['app', 'workers']), " (did you mean 'workers'?)")
  assert.is(didYouMean('heavi', ['heavy', 'heave']), " (did you mean 'heavy'?)")
  assert.is(didYouMean('x', ['app', 'workers']), '')
  assert.is(didYouMean('', []), '')
})

test('a path reads like JavaScript', () => {
  assert.is(formatPath(['pools', 'a b', 'env', 2, 'x-y']), 'pools["a b"].env[2].x-y')
})

test('an address of Redis in the environment is looked at too, and is not shown', () => {
  const url = 'http://user:hunter2@localhost'
  assert.equal(faultsOf({}, { SWITCHYARD_REDIS_URL: url }), [
    "SWITCHYARD_REDIS_URL: expected redis://host:port, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port; where sessions are not to be kept there, say 'sessions: { url: false }'",
  ])
  assert.equal(faultsOf({ sessions: { url: 'redis://localhost', urlFrom: 'REDIS_URL' } }), ['sessions.urlFrom: only without sessions.url'])
  const { message } = errorOf({ app: 'server.js', sessions: { url } })
  assert.not.match(message, 'hunter2')
})

test.run()
