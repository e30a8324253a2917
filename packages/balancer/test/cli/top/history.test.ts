// Rates and quantiles from successive statuses.

import { assert, suite } from '../../../../../test/suite.ts'
import { History } from '../../../src/cli/top/history.ts'
import { quantile } from '../../../src/cli/top/quantile.ts'
import { rowsOf } from '../../../src/cli/top/rows.ts'
import { isUtf8, sparkline } from '../../../src/cli/top/sparkline.ts'
import { counted, status } from './top-status.ts'

const test = suite('top history')
const BY_NAME = { table: 'workers', sort: 'name', isReversed: false, filter: '' } as const

test('the first status has no rates; the next ones have those of the time between', () => {
  const history = new History()
  history.record(status([counted(0, { quick: 100 }), counted(1)]), 0)
  assert.equal(
    history.workers.map(({ values }) => values.rate),
    [undefined, undefined],
  )
  history.record(status([counted(0, { quick: 150, utilisation: 0.5, inFlight: 2 }), counted(1, { slow: 10 })]), 2_000)
  const [one, other] = history.workers
  assert.equal([one?.values.rate, one?.values.loop, one?.values.queue], [25, 0.5, 2])
  assert.is(other?.values.rate, 5)
  assert.ok((one?.values.p99 as number) > 5 && (one?.values.p99 as number) <= 10)
  assert.ok((other?.values.p99 as number) > 50 && (other?.values.p99 as number) <= 100)
  assert.equal([history.totals?.values.rate, history.totals?.values.loop], [30, 0.25])
  assert.ok((history.totals?.values.p99 as number) > 50)
  assert.equal(one?.series.rate, [undefined, 25])
})

test('a replaced worker begins anew, a counter may wrap, and another primary starts a new history', () => {
  const history = new History()
  history.record(status([counted(0, { begun: 2 ** 32 - 10, pid: 7 })]), 0)
  history.record(status([counted(0, { begun: 10, pid: 7 })]), 1_000)
  assert.is(history.workers[0]?.values.rate, 20)
  history.record(status([counted(0, { begun: 3, pid: 8 })]), 2_000)
  assert.is(history.workers[0]?.values.rate, undefined)
  history.record(status([counted(0, { begun: 9, pid: 8 })], {}, { pid: 43 }), 3_000)
  assert.equal(history.totals?.series.rate.length, 1)
})

test('what is remembered has a bound', () => {
  const history = new History()
  for (let sample = 0; sample < 500; sample++) history.record(status([counted(0, { quick: sample })]), sample * 1_000)
  assert.is(history.workers[0]?.series.rate.length, 120)
  assert.is(history.workers[0]?.values.rate, 1)
})

test('quantiles are linear within a bucket', () => {
  const counts = new Array(14).fill(0)
  assert.is(quantile(counts, 0.99), undefined)
  counts[3] = 10
  assert.is(quantile(counts, 0.5), 7.5)
  counts[13] = 1000
  assert.is(quantile(counts, 0.99), Number.POSITIVE_INFINITY)
})

test('rows by name or by value, and slots without a worker', () => {
  const history = new History()
  const workers = () => [
    counted(2, { inFlight: 1 }),
    counted(0),
    counted(1, { inFlight: 5, state: 'draining' }),
    counted(9, { state: 'gone' }),
  ]
  history.record(status(workers(), { desired: 6, held: [3], broken: [4] }), 0)
  const names = (options: Partial<Parameters<typeof rowsOf>[1]> = {}) => rowsOf(history, { ...BY_NAME, ...options }).map(({ name }) => name)
  assert.equal(names(), ['web/0', 'web/1', 'web/2', 'web/3', 'web/4', 'web/5'])
  assert.equal(names({ isReversed: true })[0], 'web/5')
  assert.equal(names({ sort: 'queue' }).slice(0, 3), ['web/1', 'web/2', 'web/0'])
  assert.equal(names({ filter: 'drain' }), ['web/1'])
  assert.equal(
    rowsOf(history, BY_NAME).map(({ state }) => state),
    ['ready', 'draining', 'ready', 'held', 'broken', 'empty'],
  )
})

test('routes have rates, failures, times, and the waits of their pool', () => {
  const history = new History()
  const none = { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, aborted: 0, upgrade: 0 }
  const buckets = (count: number) => ({ counts: [0, 0, 0, count, ...new Array(10).fill(0)], sumMs: 8 * count })
  const record = (count: number, nowMs: number) =>
    history.record(
      status(
        [counted(0)],
        { queue: { length: 0, waits: buckets(count) } },
        {
          routes: [
            { route: '/a', pool: 'web', inFlight: 2, results: { ...none, '2xx': count, '5xx': count / 2 }, durations: buckets(count) },
            { route: '/gone', pool: null, inFlight: 0, results: none, durations: buckets(0) },
          ],
        },
      ),
      nowMs,
    )
  record(100, 0)
  assert.is(history.routes[0]?.values.rate, undefined)
  record(120, 2_000)
  const rows = rowsOf(history, { ...BY_NAME, table: 'routes' })
  assert.equal(
    rows.map(({ name, pool, slot, values, failedRate }) => [name, pool, slot, values?.rate, values?.queue, failedRate]),
    [
      ['/a', 'web', undefined, 15, 2, 5],
      ['/gone', '', undefined, 0, 0, 0],
    ],
  )
  for (const ms of [rows[0]?.values?.p99, rows[0]?.values?.wait]) assert.ok((ms ?? 0) > 5 && (ms ?? 0) <= 10)
  assert.is(rows[1]?.values?.wait, undefined)
  assert.is(rowsOf(history, { ...BY_NAME, table: 'routes', sort: 'failed', isReversed: true })[0]?.name, '/gone')
})

test('a balancer of an older version counts no routes', () => {
  const history = new History()
  const { routes: _, ...old } = status([counted(0)])
  history.record(old as ReturnType<typeof status>, 0)
  assert.equal(history.routes, [])
})

test('sparklines end with the newest value, in the characters that the terminal has', () => {
  assert.is(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8], { width: 9, isUtf8: true }), '▁▁▂▃▄▅▆▇█')
  assert.is(sparkline([1, undefined, 2], { width: 5, isUtf8: false }), '  = #')
  assert.is(sparkline([5], { width: 1, top: 10, isUtf8: true }), '▄')
  assert.is(sparkline([1, 2], { width: 0, isUtf8: true }), '')
  assert.equal([isUtf8({ LANG: 'C.UTF-8' }), isUtf8({ LC_ALL: 'C', LANG: 'de_DE.UTF-8' }), isUtf8({})], [true, false, false])
})

test.run()
