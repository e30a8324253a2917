// `upstream` of a pool: its settings, the policies of its routes, and what makes no sense.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../../test/suite.ts'
import type { BalancerConfig } from '../../../src/config/config.ts'
import { resolveSettings } from '../../../src/config/resolve.ts'
import { loopWarnings } from '../../../src/config/upstream-routes.ts'
import { setsUpstreamTickets, upstreamStart } from '../../../src/upstream-settings.ts'
import { type FaultCase, faultsOf, folder } from '../fault-finder.ts'

const test = suite('upstream options')
const URL_PHRASE = "expected a URL such as 'http://127.0.0.1:9000', 'https://10.0.0.7' or 'unix:/run/app.sock'"
const FOREIGN = "has no effect: the workers of a pool with 'upstream' run the balancer's own proxy"

function settingsOf(pools: BalancerConfig['pools'], more: BalancerConfig = {}) {
  return resolveSettings({ app: 'server.js', listen: 3000, pools, ...more }, { folder, env: {}, cpus: () => 4 })
}

writeFileSync(join(folder, 'not-a.pem'), 'hello')

const table: FaultCase[] = [
  [
    'URLs that name no server',
    {
      listen: 3000,
      pools: {
        a: { upstream: ['127.0.0.1:9000', 'ftp://a', 'http://a/path', 'http://a?b', 'http://a:0', 'unix:', `unix:/${'a'.repeat(107)}`] },
        b: { upstream: [] },
        c: { upstream: ['http://user:secret@a'] },
      },
    },
    [
      `pools.a.upstream[0]: ${URL_PHRASE}, got '127.0.0.1:9000'`,
      `pools.a.upstream[1]: ${URL_PHRASE}, got 'ftp://a'`,
      "pools.a.upstream[2]: expected a server without a path: use 'addPrefix' for one",
      "pools.a.upstream[3]: expected a server without a path: use 'addPrefix' for one",
      "pools.a.upstream[4]: expected a port from 1, got 'http://a:0'",
      `pools.a.upstream[5]: ${URL_PHRASE}, got 'unix:'`,
      'pools.a.upstream[6]: expected a path of at most 107 bytes',
      'pools.b.upstream: expected at least one server, got an empty list',
      'pools.c.upstream[0]: expected a URL without user and password: the balancer would not send them',
    ],
  ],
  [
    'options of apps beside it',
    { listen: 3000, pools: { a: { upstream: ['http://a'], app: 'server.js', readyWhen: '/', concurrency: 5 } } },
    [`pools.a.app: ${FOREIGN}`, `pools.a.readyWhen: ${FOREIGN}`, `pools.a.concurrency: ${FOREIGN}. Use 'upstream.maxConnections'`],
  ],
  [
    'no address to listen on, and a server twice',
    { pools: { a: { upstream: ['http://a', 'http://A:80'] } } },
    [
      "pools.a.upstream: needs 'listen' in the config: without an app nothing says where clients connect",
      'pools.a.upstream: names http://a twice',
    ],
  ],
  [
    'prefixes that are no paths, and a file that has no certificate',
    { listen: 3000, pools: { a: { upstream: { servers: ['http://a'], stripPrefix: 'api', addPrefix: '/v1/', ca: 'not-a.pem' } } } },
    [
      "pools.a.upstream.stripPrefix: expected a path such as '/api', got 'api'",
      "pools.a.upstream.addPrefix: expected a path such as '/api', got '/v1/'",
      `pools.a.upstream.ca: ${join(folder, 'not-a.pem')} has no certificate in PEM`,
    ],
  ],
]

for (const [name, config, faults] of table) test(name, () => assert.equal(faultsOf(config), faults))

test('servers are read from their URLs', () => {
  const { pools } = settingsOf({ a: { upstream: ['http://10.0.0.7', 'https://site.test:8443', 'http://[::1]:90', 'unix:app.sock'] } })
  assert.equal(
    pools[0]?.upstream?.servers.map(({ protocol, host, port, path }) => [protocol, host, port, path]),
    [
      ['http', '10.0.0.7', 80, undefined],
      ['https', 'site.test', 8443, undefined],
      ['http', '::1', 90, undefined],
      ['http', undefined, undefined, join(folder, 'app.sock')],
    ],
  )
})

test('weights, slow start and probes are about the servers, and the workers share the connections', () => {
  const more = { workers: 3, weights: [2, 1], slowStart: { windowMs: 1_000 }, healthWhen: '/health' }
  const [pool] = settingsOf({ a: { upstream: { servers: ['http://a', 'http://b'], maxConnections: 10 }, ...more } }).pools
  assert.ok(pool)
  assert.equal([pool.weights, pool.slowStart, pool.healthWhen], [[], undefined, undefined])
  const limits = { drainTimeoutMs: 1, maxLearned: 2, learnedTtlMs: 3 }
  const start = upstreamStart(pool, limits)
  assert.equal(
    [pool.upstream?.weights, start?.slowStart?.windowMs, start?.probe?.path, start?.maxConnections],
    [[2, 1], 1_000, '/health', 3],
  )
  assert.is(upstreamStart({ ...pool, upstream: undefined }, limits), undefined)
})

test('the policy of a route chooses the server; the worker is chosen by its loop', () => {
  const { pools, routes, defaultPolicy } = settingsOf(
    { web: {}, a: { upstream: ['http://a'] } },
    {
      routes: [
        { path: '/web', pool: 'web', policy: 'round-robin' },
        { path: '/a', pool: 'a', policy: { sticky: { by: 'ticket' } } },
        { path: '/b', pool: 'a' },
      ],
    },
  )
  assert.equal([...routes.map(({ policy }) => policy.name), defaultPolicy.name], ['round-robin', 'least-busy', 'least-busy', 'least-busy'])
  const [, upstream] = pools.map((pool) => pool.upstream)
  assert.equal(
    upstream?.policies.map((policy) => (typeof policy === 'object' && policy !== null ? Object.keys(policy)[0] : policy)),
    [null, 'sticky', 'least-busy', null],
  )
  assert.ok(setsUpstreamTickets(upstream))
})

test('a server that is the balancer itself is a loop', () => {
  const loopsTo = (listen: BalancerConfig['listen'], url: string): number =>
    loopWarnings(settingsOf({ a: { upstream: [url] } }, { listen })).length
  assert.is(loopsTo(3000, 'http://127.0.0.1:3000'), 1)
  assert.is(loopsTo(3000, 'http://localhost:3000'), 1)
  assert.is(loopsTo('127.0.0.1:3000', 'http://localhost:3000'), 1)
  assert.is(loopsTo(3000, 'http://127.0.0.1:3001'), 0)
  assert.is(loopsTo(3000, 'http://192.0.2.1:3000'), 0)
  assert.is(loopsTo('127.0.0.1:3000', 'http://127.0.0.2:3000'), 0)
  assert.is(loopsTo('unix:/tmp/a.sock', 'unix:/tmp/a.sock'), 1)
})

test.run()
