// Faults in the options of a pool.

import * as assert from 'uvu/assert'
import { suite } from '../../../../../test/suite.ts'
import { errorOf, type FaultCase, faultsOf } from '../fault-finder.ts'

const test = suite('pool faults')

const table: FaultCase[] = [
  ['workers', { pools: { web: { workers: 0 } } }, ["pools.web.workers: expected a positive integer or 'max', got 0"]],
  ['half a worker', { pools: { web: { workers: 1.5 } } }, ["pools.web.workers: expected a positive integer or 'max', got 1.5"]],
  [
    'workers by another word',
    { pools: { web: { workers: 'all' } } },
    ["pools.web.workers: expected a positive integer or 'max', got 'all'"],
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
      'pools.web.slowStart.from: expected a share above 0, at most 1, got 0',
      'pools.web.slowStart.aggression: expected a number above 0, got 0',
      'pools.heavy.slowStart.windowMs: expected milliseconds from 1 to 2147483647, got 0',
      'pools.heavy.slowStart.from: expected a share above 0, at most 1, got 2',
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
      "pools.web.maxMemory.soft: expected bytes from 1048576, or a size such as '512M' or '1.5G', got '512'",
      "pools.web.maxMemory.hard: expected bytes from 1048576, or a size such as '512M' or '1.5G', got 512",
      "pools.heavy.maxMemory.soft: expected bytes from 1048576, or a size such as '512M' or '1.5G', got 'much'",
      "pools.heavy.maxMemory.hard: expected bytes from 1048576, or a size such as '512M' or '1.5G', got true",
      "pools.other.maxMemory: expected an object, got '512M'",
    ],
  ],
  [
    'a hard limit below the soft one',
    { pools: { web: { maxMemory: { soft: '1G', hard: '512M' } } } },
    ['pools.web.maxMemory.hard: expected at least soft (1G), got 512M'],
  ],
  [
    'limits of workers',
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
      'pools.heavy.healthWhen.headers["a b"]: expected the name of a header field, got a string of 3 characters',
      'pools.heavy.healthWhen.headers.d: expected the value of a header field, got a string of 3 characters',
      'pools.heavy.healthWhen.headers.g: expected a string, got a number',
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
      'pools.other.workers: expected from 3 to 5, the range of autoscale, got 2',
      'pools.more.workers: expected at least 3, the range of autoscale, got 2',
    ],
  ],
  [
    'a drain spread and a drain return longer than the drain',
    { drainTimeoutMs: 1000, pools: { web: { drainSpreadMs: 2000 }, heavy: { drainReturnMs: 3000 } } },
    [
      'pools.web.drainSpreadMs: expected at most drainTimeoutMs (1000), got 2000',
      'pools.heavy.drainReturnMs: expected at most drainTimeoutMs (1000), got 3000',
    ],
  ],
  [
    'a signal that cannot be caught',
    { pools: { web: { stopSignal: 'SIGKILL', stopTimeoutMs: -1 } } },
    [
      "pools.web.stopSignal: expected 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT' or 'SIGUSR2', got 'SIGKILL'",
      'pools.web.stopTimeoutMs: expected milliseconds from 0 to 2147483647, got -1',
    ],
  ],
  [
    'users and groups of the wrong type',
    { pools: { web: { uid: -1, gid: true }, heavy: { uid: '' } } },
    [
      'pools.web.uid: expected a number or the name of a user, got -1',
      'pools.web.gid: expected a number or the name of a group, got true',
      "pools.heavy.uid: expected a number or the name of a user, got ''",
    ],
  ],
  ['a pool that is a number', { pools: { web: 3 } }, ['pools.web: expected an object, got 3']],
  [
    'a pool with a bad name',
    { pools: { '1a': {} } },
    ['pools["1a"]: expected a pool name: a letter, then letters, digits, - or _, got \'1a\''],
  ],
]
for (const [name, config, faults] of table) test(`fault: ${name}`, () => assert.equal(faultsOf(config), faults))

test('unknown users and groups', () => {
  assert.equal(
    faultsOf({ pools: { web: { uid: 'wwww' }, heavy: { uid: 4711 }, other: { uid: 'www', gid: 'wwww' }, more: { uid: 4711, gid: 4711 } } }),
    [
      "pools.web.uid: there is no user 'wwww' in /etc/passwd: check the name, or write the number",
      'pools.heavy.gid: is missing: the user 4711 is not in /etc/passwd, so its group is unknown; name it here',
      "pools.other.gid: there is no group 'wwww' in /etc/group: check the name, or write the number",
    ],
  )
})

test('only root may start workers as another user', () => {
  const config = { app: 'server.js', pools: { web: { uid: 'www' }, heavy: { uid: 0 }, other: { gid: 0 } } }
  assert.equal(errorOf(config, {}, 33).message.split('\n').slice(1), [
    '  pools.heavy.uid: only root may start workers as another user: start the balancer as root, or remove this option',
    '  pools.other.gid: only root may start workers as another user: start the balancer as root, or remove this option',
  ])
})

test('a header field of a probe is never quoted, because it may be a secret', () => {
  const probe = { path: '/', headers: { authorization: 'Bearer\nhunter2' } }
  assert.not.match(errorOf({ app: 'server.js', pools: { web: { readyWhen: probe } } }).message, 'hunter2')
})

test.run()
