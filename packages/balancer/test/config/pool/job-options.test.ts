// Options of background processes: their settings, and what makes no sense.

import { assert, suite } from '../../../../../test/suite.ts'
import type { BalancerConfig } from '../../../src/config/config.ts'
import { resolveSettings } from '../../../src/config/resolve.ts'
import { defaultPool } from '../../../src/settings.ts'
import { type FaultCase, faultsOf, folder } from '../fault-finder.ts'

const test = suite('job options')
const settingsOf = (pools: BalancerConfig['pools'], more: BalancerConfig = {}) =>
  resolveSettings({ app: 'server.js', pools, ...more }, { folder, env: {}, cpus: () => 4 })
const CRON = "expected a cron expression such as '0 3 * * *' (minute, hour, day, month, weekday), got"

const table: FaultCase[] = [
  [
    'cron expressions that make no sense',
    { pools: { a: { schedule: '61 * * * *' }, b: { schedule: 'daily' }, c: { restartAt: '0 3 31 2 *' }, d: { schedule: 5 } } },
    [
      `pools.a.schedule: ${CRON} '61 * * * *': Invalid value for minute: 61`,
      `pools.b.schedule: ${CRON} 'daily': invalid configuration format ('daily'), exactly five, six, or seven space separated parts are required.`,
      `pools.c.restartAt: ${CRON} '0 3 31 2 *': there is no such time to come`,
      `pools.d.schedule: ${CRON} 5`,
    ],
  ],
  [
    'a time zone that does not exist, and one without a schedule',
    { pools: { a: { schedule: '0 3 * * *', timeZone: 'Europe/Berln' }, web: { timeZone: 'UTC', overlap: true } } },
    [
      "pools.a.timeZone: expected a time zone that Node knows, such as 'Europe/Berlin', got 'Europe/Berln'",
      "pools.web.overlap: has no effect: it belongs to 'schedule'",
      "pools.web.timeZone: has no effect: it belongs to 'schedule' and 'restartAt'",
    ],
  ],
  [
    'a schedule with options of workers that run all the time',
    { pools: { web: {}, a: { schedule: '@daily', listens: true, workers: 2, restartAt: '@hourly', autoscale: {}, readyWhen: 'message' } } },
    [
      "pools.a.listens: expected false: a process of 'schedule' ends when its work is done",
      "pools.a.restartAt: has no effect: the pool starts one-off processes ('schedule')",
      "pools.a.autoscale: has no effect: the pool starts one-off processes ('schedule')",
      "pools.a.readyWhen: has no effect: the pool starts one-off processes ('schedule')",
      "pools.a.workers: expected 1: one process of 'schedule' runs at a time, unless 'overlap' is true",
    ],
  ],
  [
    'probes and limits of requests without a server',
    { pools: { queue: { listens: false, readyWhen: '/ready', healthWhen: '/healthz', concurrency: 4, maxRequests: 10 } } },
    [
      "pools.queue.healthWhen: has no effect: the pool does not listen ('listens: false')",
      "pools.queue.concurrency: has no effect: the pool does not listen ('listens: false')",
      "pools.queue.maxRequests: has no effect: the pool does not listen ('listens: false')",
      "pools.queue.readyWhen: expected 'message', since the pool does not listen ('listens: false') and can't be probed",
    ],
  ],
  [
    'a route, and an address, for pools that do not listen',
    {
      listen: 3000,
      pools: { queue: { listens: false }, nightly: { schedule: '@daily' } },
      routes: [{ pool: 'queue' }, { pool: 'nightly' }],
    },
    [
      "listen: has no effect: no pool listens ('listens: false', 'schedule')",
      "routes[0].pool: pool 'queue' does not listen, so no route may lead to it",
      "routes[1].pool: pool 'nightly' does not listen, so no route may lead to it",
    ],
  ],
  [
    'exit codes',
    { pools: { web: { stopExitCodes: [0, 256, 1.5] }, heavy: { stopExitCodes: 3 } } },
    [
      'pools.web.stopExitCodes[1]: expected an exit code from 0 to 255, got 256',
      'pools.web.stopExitCodes[2]: expected an exit code from 0 to 255, got 1.5',
      'pools.heavy.stopExitCodes: expected a list of exit codes from 0 to 255, got 3',
    ],
  ],
]
for (const [name, config, faults] of table) test(`fault: ${name}`, () => assert.equal(faultsOf(config), faults))

test('a schedule has no workers, and does not listen', () => {
  const [one, two, three] = settingsOf({
    one: { schedule: '@daily', workers: 1 },
    two: { schedule: '@daily', overlap: true, timeZone: 'UTC' },
    three: { schedule: '@daily', overlap: true, workers: 5 },
  }).pools
  assert.equal([one?.workers, one?.listens], [0, false])
  assert.equal(one?.schedule, { pattern: '@daily', timeZone: undefined, most: 1 })
  assert.equal(two?.schedule, { pattern: '@daily', timeZone: 'UTC', most: 2 })
  assert.is(three?.schedule?.most, 5)
})

test('the first pool that listens is the default one', () => {
  const { pools, routes } = settingsOf({ queue: { listens: false }, web: {} }, { routes: [{ path: '/a' }] })
  assert.is(defaultPool(pools)?.name, 'web')
  assert.is(routes[0]?.pool, 'web')
  assert.is(defaultPool(settingsOf({ queue: { listens: false } }).pools)?.name, 'queue')
})

test("readyWhen: 'message' is no probe", () => {
  const [web, other] = settingsOf({ web: { readyWhen: 'message' }, other: { readyWhen: '/ready' } }).pools
  assert.equal([web?.readyWhen, web?.readyMessage], [undefined, true])
  assert.equal([other?.readyWhen?.path, other?.readyMessage], ['/ready', false])
})

test.run()
