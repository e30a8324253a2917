// Requests by route: totals over workers, replaced workers, and workers that lie.

import { newRouteCounters, ROUTE_COLUMNS, requestResults, routeColumns } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { OTHER_ROUTES, RouteTotals } from '../../src/counts/route-totals.ts'

const test = suite('route totals')

function workerOf(routeNames: readonly string[]) {
  const routeCounters = newRouteCounters()
  return {
    routeNames,
    load: { routeCounters },
    count(route: number, begun: number, ok: number): void {
      routeCounters[route * ROUTE_COLUMNS + routeColumns.begun] = begun
      routeCounters[route * ROUTE_COLUMNS + routeColumns.results] = ok
    },
  }
}

function brief(totals: RouteTotals, workers: readonly ReturnType<typeof workerOf>[], routes: readonly string[] = ['/a', '/b']) {
  return totals.status(routes, workers).map(({ route, inFlight, results }) => [route, inFlight, results['2xx'], results.aborted])
}

test('a worker that is gone leaves its counts, and what it had not ended counts as aborted', () => {
  const totals = new RouteTotals()
  const [one, other] = [workerOf(['/a', '/b']), workerOf(['/b', '/a'])] as const
  one.count(0, 5, 3)
  other.count(0, 2, 2)
  assert.equal(brief(totals, [one, other]), [
    ['/a', 2, 3, 0],
    ['/b', 0, 2, 0],
  ])
  totals.recordGone(one)
  assert.equal(brief(totals, [other]), [
    ['/a', 0, 3, 2],
    ['/b', 0, 2, 0],
  ])
})

test('impossible counts are ignored, and a total never falls', () => {
  const totals = new RouteTotals()
  const worker = workerOf(['/a'])
  for (const [begun, ok, expected] of [
    [4, 4, 4],
    [3, 3, 4],
    [Number.NaN, 9, 4],
    [9, -1, 4],
    [5.5, 5, 4],
    [1e300, 5, 4],
    [6, 6, 6],
  ] as const) {
    worker.count(0, begun, ok)
    assert.equal(brief(totals, [worker], ['/a']), [['/a', 0, expected, 0]], `${begun} ${ok}`)
  }
})

test('routes of the config come first, and routes of an earlier config stay', () => {
  const totals = new RouteTotals()
  const worker = workerOf(['/old'])
  worker.count(0, 1, 1)
  totals.recordGone(worker)
  assert.equal(
    totals.status(['/new'], []).map(({ route }) => route),
    ['/new', '/old'],
  )
})

test('the number of routes is bounded', () => {
  const totals = new RouteTotals()
  const many = workerOf(Array.from({ length: 80 }, (_, index) => `/${index}`))
  many.count(63, 7, 7)
  assert.equal(brief(totals, [many], []), [[OTHER_ROUTES, 0, 7, 0]])
  for (let config = 0; config < 2000; config++) {
    const worker = workerOf([`/config-${config}`])
    worker.count(0, 1, 1)
    totals.recordGone(worker)
  }
  const routes = totals.status([], [])
  assert.ok(routes.length <= 1001, `${routes.length}`)
  assert.is(
    routes.reduce((sum, { results }) => sum + requestResults.reduce((all, result) => all + results[result], 0), 0),
    2000,
  )
})

test.run()
