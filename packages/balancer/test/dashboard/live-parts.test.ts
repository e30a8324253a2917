// What a reader sees of this moment: strips, marks, the sentence of health, rates.

import { type RequestResult, requestResults } from '@switchyard/handoff'
import { idleLoad } from '@switchyard/routing'
import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { LoopStrips } from '../../src/dashboard/loop-strips.ts'
import { Marks } from '../../src/dashboard/marks.ts'
import { Views } from '../../src/dashboard/view.ts'
import { BalancerEmitter } from '../../src/events.ts'
import type { PoolStatus } from '../../src/status.ts'
import { healthOf } from '../../src/troubles.ts'
import { calmPool, statusOf, workerOf } from '../support/fake-balancer.ts'

const test = suite('dashboard: live parts')
const NO_RESULTS = Object.fromEntries(requestResults.map((result) => [result, 0])) as Record<RequestResult, number>
const NO_LISTS = { decisions: null, badHeads: null, advice: null }

function loop(slot: number, busyMs: number, utilisation: number, silentMs = 0) {
  return { pool: 'web', slot, pid: 1000 + slot, state: 'ready' as const, silentMs, load: { busyMs, utilisation } }
}

test('a strip has a column for five readings', () => {
  const strips = new LoopStrips()
  for (let reading = 0; reading < 9; reading++) strips.read([loop(0, 1, 0.4)])
  assert.equal(strips.takeNew(), { 'web/0 1000': [[40, 0]] })
  strips.read([loop(0, 1, 0.4)])
  assert.equal(strips.takeNew(), { 'web/0 1000': [[40, 0]] })
  assert.equal(strips.takeNew(), { 'web/0 1000': [] })
  assert.equal(strips.all(), {
    'web/0 1000': [
      [40, 0],
      [40, 0],
    ],
  })
})

test('a blocked loop counts as busy, whatever its last report says', () => {
  const strips = new LoopStrips()
  for (const busyMs of [10, 60, 110, 160, 210]) strips.read([loop(0, busyMs, 0)])
  assert.equal(strips.all(), { 'web/0 1000': [[80, 210]] })
})

test('a strip keeps a minute, and goes with its process', () => {
  const strips = new LoopStrips()
  for (let reading = 0; reading < 5 * 300; reading++) strips.read([loop(0, 0, 0), loop(1, 0, 0)])
  assert.is(strips.all()['web/0 1000']?.length, 240)
  strips.read([loop(1, 0, 0)])
  assert.equal(Object.keys(strips.all()), ['web/1 1001'])
})

test('operations and faults become marks, and expected exits do not', () => {
  const events = new BalancerEmitter()
  const marks = new Marks(events, () => 7)
  const worker = { pool: 'web', slot: 0, generation: 0, pid: 1 }
  const exit = { ...worker, code: null, everReady: true, isFinal: false, restartInMs: 100 }
  events.emit('workerExited', { ...exit, signal: 'SIGKILL', expected: false })
  events.emit('workerExited', { ...exit, signal: 'SIGTERM', expected: true })
  events.emit('operationEnded', { name: 'reload', message: '2 workers were replaced', error: undefined })
  events.emit('operationEnded', { name: 'reload', message: 'web/0 did not start', error: new Error('x') })
  assert.equal(marks.all, [
    { time: 7, kind: 'fault', text: 'web/0 was ended by SIGKILL' },
    { time: 7, kind: 'operation', text: 'reload: 2 workers were replaced' },
    { time: 7, kind: 'fault', text: 'reload failed: web/0 did not start' },
  ])
  marks.stop()
  events.emit('outageBegan', { pool: 'web', retryMs: 1, lastWords: '' })
  assert.is(marks.all.length, 3)
})

test('recalls are marked once, not with every sample of a saturated pool', () => {
  let nowMs = 0
  const marks = new Marks(new BalancerEmitter(), () => nowMs)
  for (const count of [5, 5, 8, 9, 20]) {
    nowMs += 5_000
    marks.countRecalls(count)
  }
  assert.equal(
    marks.all.map(({ text }) => text),
    ['3 hand-offs were taken back from a stuck or dead worker'],
  )
  nowMs += 120_000
  marks.countRecalls(21)
  assert.is(marks.all.length, 2)
})

test('marks are bounded', () => {
  const marks = new Marks(new BalancerEmitter(), () => 0)
  for (let number = 0; number < 500; number++) marks.add('fault', 'x'.repeat(1_000))
  assert.is(marks.all.length, 200)
  assert.is(marks.all[0]?.text.length, 300)
})

function poolWith(changes: Partial<PoolStatus>): PoolStatus {
  return { ...calmPool, name: 'web', ready: 2, desired: 2, boardFaults: 0, workers: [workerOf(0), workerOf(1)], ...changes }
}

const healths: readonly [changes: Parameters<typeof statusOf>[0], severity: string, sentence: RegExp][] = [
  [{}, 'good', /^All 2 workers are ready\.$/],
  [{ accepting: false }, 'down', /^The balancer accepts no connections now/],
  [{ pools: [poolWith({ ready: 0 })] }, 'down', /web has no ready worker/],
  [{ pools: [poolWith({ ready: 0, outageMs: 90_000 })] }, 'down', /no worker for 1 min 30 s/],
  [{ pools: [poolWith({ ready: 1, broken: [1] })] }, 'failing', /web\/1 has failed too often/],
  [{ pools: [poolWith({ ready: 1, workers: [workerOf(0)] })] }, 'failing', /1 of 2 workers ready/],
  [{ pools: [poolWith({ ready: 1, held: [1] })] }, 'watch', /web\/1 was taken out of service/],
  [{ pools: [poolWith({ reloading: true, ready: 1 })] }, 'watch', /is being reloaded/],
  [{ pools: [poolWith({ workers: [workerOf(0, { load: { ...idleLoad, busyMs: 4_000 } }), workerOf(1)] })] }, 'failing', /blocked for 4 s/],
  [{ pools: [poolWith({ workers: [workerOf(0, { ejected: true }), workerOf(1)] })] }, 'failing', /it does worse than the others/],
  [{ log: { written: 1, dropped: 1, failure: 'ENOSPC' } }, 'failing', /ENOSPC/],
]
for (const [changes, severity, sentence] of healths)
  test(`health: ${sentence.source}`, () => {
    const health = healthOf(statusOf(changes))
    assert.is(health.severity, severity)
    assert.match(health.sentence, sentence)
  })

test('a process that does not run is stuck, whatever its last report says', () => {
  const workers = [workerOf(0, { silentMs: 900 }), workerOf(1, { silentMs: 4_000 })]
  const { health, pools } = new Views().make(statusOf({ pools: [poolWith({ workers })] }), NO_LISTS, 1_000)
  assert.match(health.sentence, /^web\/1 does not answer: its event loop has not turned for 4 s/)
  assert.equal(
    pools[0]?.workers.map(({ stuckMs }) => stuckMs),
    [0, 4_000],
  )
  const strips = new LoopStrips()
  for (let reading = 0; reading < 5; reading++) strips.read([loop(0, 0, 0.1, 900), loop(1, 0, 0.1, 4_000)])
  assert.equal(strips.all(), { 'web/0 1000': [[10, 0]], 'web/1 1001': [[100, 4_000]] })
})

test('refusals for lack of room and failed requests are no good health, for ten seconds', () => {
  const views = new Views()
  const { connections } = statusOf()
  const at = (seconds: number, full: number, heads: number, begun: number, failed: number): string =>
    views.make(
      statusOf({
        connections: { ...connections, refused: { ...connections.refused, 'queue-full': full, 'not-http': heads } },
        pools: [poolWith({ workers: [workerOf(0, { begun, failed }), workerOf(1)] })],
      }),
      NO_LISTS,
      seconds * 1_000,
    ).health.sentence
  assert.match(at(1, 3, 9, 100, 90), 'All 2 workers are ready')
  assert.match(at(2, 3, 99, 200, 91), 'All 2 workers are ready')
  assert.match(at(3, 7, 99, 300, 91), 'The balancer refused 4 connections')
  for (let second = 4; second < 14; second++) at(second, 7, 99, 300, 91)
  assert.match(at(14, 7, 99, 400, 101), '10 % of the requests of the last 10 s failed.')
})

test('the worst comes first', () => {
  const { sentence, others } = healthOf(statusOf({ pools: [poolWith({ held: [1], ready: 1 }), poolWith({ name: 'api', ready: 0 })] }))
  assert.match(sentence, /^api has no ready worker/)
  assert.match(others.join('\n'), /^web\/1 was taken out of service: [^\n]*$/)
})

test('a view has rates since the view before, and empty slots with their reason', () => {
  const views = new Views()
  const at = (begun: number) => statusOf({ pools: [poolWith({ ready: 1, held: [1], workers: [workerOf(0, { begun })] })] })
  assert.is(views.make(at(100), NO_LISTS, 1_000).totals.perSecond, 0)
  const view = views.make(at(150), NO_LISTS, 2_000)
  assert.is(view.totals.perSecond, 50)
  assert.is(view.pools[0]?.workers[0]?.perSecond, 50)
  assert.equal(view.pools[0]?.empty, [{ slot: 1, why: 'held' }])
})

test('a route has its own rate and times, and the queue of its pool its waits', () => {
  const views = new Views()
  const counted = (count: number) => ({ counts: [0, 0, 0, count], sumMs: 8 * count })
  const at = (count: number) => {
    const result = { inFlight: 0, results: { ...NO_RESULTS, '2xx': count }, durations: counted(count) }
    const routes = [
      { route: 'all', pool: 'web', ...result },
      { route: 'of an earlier config', pool: null, ...result },
    ]
    return statusOf({ routes, pools: [poolWith({ queue: { length: 0, waits: counted(count) } })] })
  }
  assert.is(views.make(at(100), NO_LISTS, 1_000).pools[0]?.queueP99Ms, null)
  const { routes, pools } = views.make(at(130), NO_LISTS, 2_000)
  assert.equal(
    routes.map(({ name, pool, perSecond }) => [name, pool, perSecond]),
    [['all', 'web', 30]],
  )
  for (const ms of [routes[0]?.p50Ms, routes[0]?.p99Ms, pools[0]?.queueP99Ms]) assert.ok((ms ?? 0) > 5 && (ms ?? 0) <= 10)
})

test.run()
