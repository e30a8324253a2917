// The supervisor's plan: a table of states with the actions due in each, and properties over random states. The replacement of workers has
// a file of its own.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { plan, restartDelayMs, STOP_MS } from '../../src/supervisor/plan.ts'
import type { PlannedWorker } from '../../src/supervisor/plan-input.ts'
import { actual, both, desired, failed, NOW, next, planTable, pool, reloading, second, start, worker } from './plan-states.ts'

const test = suite('plan')

planTable(test, [
  { name: 'all empty slots start at once', actual: actual([], {}, []), actions: [start(0), start(1)] },
  { name: 'no action when every slot has a ready worker', actual: actual(both()), actions: [] },
  { name: 'an empty slot is filled', actual: actual([worker()]), actions: [start(1)] },
  {
    name: 'an empty slot is filled while its old worker drains',
    actual: actual([worker(), second({ state: 'draining' })]),
    actions: [start(1)],
    nextMs: NOW + 14_000,
  },
  { name: 'a slot in back-off waits', actual: actual([worker()], { 1: failed(NOW + 400) }), actions: [], nextMs: NOW + 400 },
  { name: 'a slot starts when its back-off is over', actual: actual([worker()], { 1: failed(NOW) }), actions: [start(1)] },
  {
    name: 'a slot whose workers fail too often is broken',
    actual: actual([worker()], { 1: { failures: 4, startAtMs: NOW, failedMs: [1, 2, 3, 4].map((ago) => NOW - ago * 1000) } }),
    actions: [{ do: 'break', workerSlot: { pool: 'web', slot: 1 } }],
  },
  {
    name: 'failures older than restartWindowMs do not break a slot',
    actual: actual([worker()], { 1: { failures: 4, startAtMs: NOW, failedMs: [1, 2, 3, 99].map((ago) => NOW - ago * 1000) } }),
    actions: [start(1)],
  },
  { name: 'a broken slot stays empty', desired: desired({}, { broken: new Set([1]) }), actual: actual([worker()]), actions: [] },
  {
    name: 'an outage begins when every slot is broken and no worker serves',
    desired: desired({}, { broken: new Set([0, 1]) }),
    actual: actual([], { 0: failed(NOW), 1: failed(NOW) }),
    actions: [{ do: 'begin-outage', pool: 'web' }],
    nextMs: NOW + 29_990,
  },
  {
    name: 'in an outage, the slot that failed longest ago is tried again',
    desired: desired({}, { broken: new Set([0, 1]), isInOutage: true }),
    actual: actual([], { 0: { ...failed(NOW), failedMs: [NOW - 30_000] }, 1: { ...failed(NOW), failedMs: [NOW - 40_000] } }),
    actions: [start(1)],
  },
  {
    name: 'in an outage, only one slot is tried at a time',
    desired: desired({}, { broken: new Set([0, 1]), isInOutage: true }),
    actual: actual([worker({ state: 'starting' })], { 0: failed(NOW), 1: failed(NOW - 90_000) }),
    actions: [],
    nextMs: NOW + 9000,
  },
  {
    name: 'in an outage, a held slot is not tried',
    desired: desired({}, { broken: new Set([0]), held: new Set([1]), isInOutage: true }),
    actual: actual([], { 0: { ...failed(NOW), failedMs: [NOW - 30_000] } }),
    actions: [start(0)],
  },
  {
    name: 'without a reload, a worker that is up is admitted at once',
    actual: actual(both({ state: 'starting', upMs: NOW })),
    actions: [{ do: 'admit', id: 1 }],
  },
  {
    name: 'a worker that is not up within startTimeoutMs is killed',
    actual: actual(both({ state: 'starting', sinceMs: NOW - 10_000 })),
    actions: [{ do: 'kill-late', id: 1, afterMs: 10_000 }],
  },
  { name: 'a starting worker has startTimeoutMs to come up', actual: actual(both({ state: 'starting' })), actions: [], nextMs: NOW + 9000 },
  {
    name: 'a pool that never came up is given up when every slot has failed',
    actual: actual([], { 0: failed(NOW), 1: failed(NOW) }, []),
    actions: [{ do: 'give-up', pool: 'web' }],
  },
  {
    name: 'a pool is not given up while one of its slots has not failed',
    actual: actual([], { 0: failed(NOW + 50) }, []),
    actions: [start(1)],
    nextMs: NOW + 50,
  },
  {
    name: 'in a pool that never came up, a failed slot waits for the first starts of the others',
    actual: actual([worker({ state: 'starting' })], { 1: failed(NOW) }, []),
    actions: [],
    nextMs: NOW + 9000,
  },
  {
    name: 'no more workers start at once than startsAtOnce',
    desired: desired({ startsAtOnce: 2 }, { workers: 5 }),
    actual: actual([], {}, []),
    actions: [start(0), start(1)],
  },
  {
    name: 'the next one starts when one of them listens',
    desired: desired({ startsAtOnce: 2 }, { workers: 5 }),
    actual: actual([worker({ state: 'starting', hasBegun: true }), second({ state: 'starting' })], {}),
    actions: [start(2)],
    nextMs: NOW + 9000,
  },
  {
    name: 'the next one starts when one of them has failed, and the failed slot after its own delay',
    desired: desired({ startsAtOnce: 2 }, { workers: 5 }),
    actual: actual([second({ state: 'starting' })], { 0: failed(NOW + 400) }),
    actions: [start(2)],
    nextMs: NOW + 400,
  },
  {
    name: 'in a pool that never came up only startsAtOnce slots are tried',
    desired: desired({ startsAtOnce: 2 }, { workers: 5 }),
    actual: actual([second({ state: 'starting' })], { 0: failed(NOW) }, []),
    actions: [],
    nextMs: NOW + 9000,
  },
  {
    name: 'it is given up when all of these have failed',
    desired: desired({ startsAtOnce: 2 }, { workers: 5 }),
    actual: actual([], { 0: failed(NOW), 1: failed(NOW) }, []),
    actions: [{ do: 'give-up', pool: 'web' }],
  },
  {
    name: 'workers that start leave no room for those of another pool',
    desired: { ...desired({ startsAtOnce: 2 }), pools: [pool({ name: 'other', workers: 1 }), pool()] },
    actual: actual([worker({ state: 'starting' })], {}, []),
    actions: [{ do: 'start', workerSlot: { pool: 'other', slot: 0 }, generation: 0 }],
    nextMs: NOW + 9000,
  },
  {
    name: 'a worker that has crashed is replaced without room',
    desired: desired({ startsAtOnce: 1 }),
    actual: actual([worker({ state: 'starting' })], { 1: failed(NOW) }),
    actions: [start(1)],
    nextMs: NOW + 9000,
  },
  {
    name: 'a replacement in a reload starts without room',
    desired: { ...reloading({ maxSurge: 2 }), startsAtOnce: 1 },
    actual: actual([...both(), next()]),
    actions: [start(1, 1)],
    nextMs: NOW + 9000,
  },
  {
    name: 'a pool that has been up is never given up',
    actual: actual([], { 0: failed(NOW + 9), 1: failed(NOW) }),
    actions: [start(1)],
    nextMs: NOW + 9,
  },

  {
    name: 'scaling down drains the highest slots',
    desired: desired({}, { workers: 1 }),
    actual: actual(both()),
    actions: [{ do: 'drain', id: 2 }],
  },
  { name: 'scaling up starts workers in new slots', desired: desired({}, { workers: 3 }), actual: actual(both()), actions: [start(2)] },
  {
    name: 'a held slot is drained and stays empty',
    desired: desired({}, { held: new Set([0]) }),
    actual: actual(both()),
    actions: [{ do: 'drain', id: 1 }],
  },

  {
    name: 'a shutdown drains ready workers and stops starting ones',
    desired: desired({ stopping: true }),
    actual: actual([worker(), second({ state: 'starting' })]),
    actions: [
      { do: 'drain', id: 1 },
      { do: 'stop', id: 2 },
    ],
  },
  {
    name: 'a drained worker is told to stop',
    desired: desired({ stopping: true }),
    actual: actual([worker({ state: 'draining', drained: true })]),
    actions: [{ do: 'stop', id: 1 }],
  },
  {
    name: 'a draining worker serves its ticket holders for half of drainTimeoutMs',
    actual: actual([second(), worker(), worker({ id: 3, state: 'draining', sinceMs: NOW - 500 })]),
    desired: desired({ drainTimeoutMs: 1001 }),
    actions: [],
    nextMs: NOW + 0.5,
  },
  {
    name: 'after half of drainTimeoutMs a draining worker is sealed',
    actual: actual([second(), worker(), worker({ id: 3, state: 'draining', sinceMs: NOW - 500 })]),
    desired: desired({ drainTimeoutMs: 1000 }),
    actions: [{ do: 'seal', id: 3 }],
    nextMs: NOW + 500,
  },
  {
    name: 'a worker is sealed once',
    actual: actual([second(), worker(), worker({ id: 3, state: 'draining', sealed: true, sinceMs: NOW - 500 })]),
    desired: desired({ drainTimeoutMs: 1000 }),
    actions: [],
    nextMs: NOW + 500,
  },
  {
    name: 'a worker that has not drained within drainTimeoutMs is killed',
    desired: desired({ stopping: true, drainTimeoutMs: 1000 }),
    actual: actual([worker({ state: 'draining' })]),
    actions: [{ do: 'kill', id: 1, why: 'it did not drain within 1000 ms (drainTimeoutMs)' }],
  },
  {
    name: 'a worker that was told to stop has the rest of drainTimeoutMs to exit',
    desired: desired({ stopping: true, drainTimeoutMs: 20_000 }),
    actual: actual([
      worker({ state: 'draining', sinceMs: NOW - 20_000, stoppingMs: NOW - 15_000 }),
      worker({ id: 2, state: 'draining', sinceMs: NOW - 16_000, stoppingMs: NOW - 15_000 }),
    ]),
    actions: [{ do: 'kill', id: 1, why: 'it did not exit within 15000 ms after it was told to stop (stopTimeoutMs)' }],
    nextMs: NOW + 4000,
  },
  {
    name: 'a worker that was told to stop has STOP_MS at least, also if it never drained',
    desired: desired({ stopping: true, drainTimeoutMs: 1000 }),
    actual: actual([
      worker({ state: 'draining', sinceMs: NOW - STOP_MS - 900, stoppingMs: NOW - STOP_MS }),
      worker({ id: 2, state: 'draining', stoppingMs: NOW - 1 }),
      worker({ id: 3, state: 'starting', stoppingMs: NOW - 2 }),
    ]),
    actions: [{ do: 'kill', id: 1, why: `it did not exit within ${STOP_MS} ms after it was told to stop (stopTimeoutMs)` }],
    nextMs: NOW - 2 + STOP_MS,
  },
  {
    name: 'a stopTimeoutMs of the pool applies instead',
    desired: desired({ stopping: true }),
    actual: actual([
      worker({ state: 'draining', stoppingMs: NOW - 100, stopTimeoutMs: 100 }),
      worker({ id: 2, state: 'draining', sinceMs: NOW - 40_000, stoppingMs: NOW - 35_000, stopTimeoutMs: 40_000 }),
    ]),
    actions: [{ do: 'kill', id: 1, why: 'it did not exit within 100 ms after it was told to stop (stopTimeoutMs)' }],
    nextMs: NOW + 5000,
  },
])

const anyWorker = fc.record({
  id: fc.integer({ min: 1, max: 9 }),
  pool: fc.constant('web'),
  slot: fc.integer({ min: 0, max: 1 }),
  generation: fc.integer({ min: 0, max: 1 }),
  state: fc.constantFrom('starting' as const, 'ready' as const, 'draining' as const),
  sinceMs: fc.integer({ min: 0, max: NOW }),
  upMs: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
  hasBegun: fc.boolean(),
  silentMs: fc.nat(20_000),
  retiring: fc.option(fc.constantFrom('memory' as const, 'hang' as const, 'age' as const), { nil: undefined }),
  sealed: fc.boolean(),
  drained: fc.boolean(),
  stoppingMs: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
  stopTimeoutMs: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
  isOneOff: fc.constant(false),
})

test('in any state: no slot starts twice, no worker gets two actions, and the next plan is later', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyWorker, { selector: ({ id }) => id }), fc.boolean(), fc.boolean(), (workers, stopping, proven) => {
      const { actions, nextMs } = plan(desired({ stopping }), actual(workers, {}, proven ? ['web'] : []), NOW)
      const ids = actions.flatMap((action) => ('id' in action ? [action.id] : []))
      const slots = actions.flatMap((action) => (action.do === 'start' ? [action.workerSlot.slot] : []))
      assert.is(new Set(ids).size, ids.length)
      assert.is(new Set(slots).size, slots.length)
      const isBehind = (one: PlannedWorker) => one.generation !== 0 || one.retiring !== undefined
      for (const slot of slots)
        assert.not.ok(
          workers.some((one) => one.slot === slot && one.state !== 'draining' && one.stoppingMs === undefined && !isBehind(one)),
        )
      if (stopping) assert.is(slots.length, 0)
      assert.ok(nextMs > NOW)
    }),
    { numRuns: 1000 },
  )
})

test('a shutdown always goes on: there is an action now or a time for the next plan', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyWorker, { selector: ({ id }) => id, minLength: 1 }), (workers) => {
      const { actions, nextMs } = plan(desired({ stopping: true }), actual(workers), NOW)
      assert.ok(actions.length > 0 || nextMs !== Number.POSITIVE_INFINITY)
    }),
  )
})

test('a worker that drains or was told to stop is only sealed, stopped or killed', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyWorker, { selector: ({ id }) => id }), (workers) => {
      const { actions } = plan(desired(), actual(workers), NOW)
      for (const action of actions) {
        const one = 'id' in action ? workers.find(({ id }) => id === action.id) : undefined
        if (one !== undefined && (one.state === 'draining' || one.stoppingMs !== undefined))
          assert.ok(['seal', 'stop', 'kill'].includes(action.do))
      }
    }),
  )
})

test('back-off doubles from the first delay to the longest, with jitter in its upper half', () => {
  assert.equal(
    [0, 1, 2, 3, 20].map((failures) => restartDelayMs(failures, 1, 100, 30_000)),
    [100, 200, 400, 800, 30_000],
  )
  assert.is(restartDelayMs(2, 0, 100, 30_000), 200)
})

test.run()
