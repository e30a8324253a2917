// The supervisor's plan: a table of states with the actions due in each, and properties over random states.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { type Action, plan, restartDelayMs, STOP_MS } from '../../src/supervisor/plan.ts'
import type { Actual, Desired, PlannedWorker, PoolTarget, SlotStarts } from '../../src/supervisor/plan-input.ts'

const test = suite('plan')
const NOW = 100_000

const pool = (changes: Partial<PoolTarget> = {}): PoolTarget => ({
  name: 'web',
  workers: 2,
  generation: 0,
  previous: undefined,
  replaced: false,
  failure: undefined,
  held: new Set(),
  broken: new Set(),
  isInOutage: false,
  maxSurge: 1,
  settleMs: 1500,
  startTimeoutMs: 10_000,
  ...changes,
})
const desired = (changes: Partial<Desired> = {}, ofPool: Partial<PoolTarget> = {}): Desired => ({
  pools: [pool(ofPool)],
  stopping: false,
  drainTimeoutMs: 30_000,
  maxRestarts: 3,
  restartWindowMs: 60_000,
  outageRetryMs: 30_000,
  ...changes,
})
/** A reload from generation 0 to generation 1. */
const reloading = (changes: Partial<PoolTarget> = {}) => desired({}, { generation: 1, previous: 0, ...changes })
const worker = (changes: Partial<PlannedWorker> = {}): PlannedWorker => ({
  id: 1,
  pool: 'web',
  slot: 0,
  generation: 0,
  state: 'ready',
  sinceMs: NOW - 1000,
  upMs: undefined,
  silentMs: 0,
  retiring: undefined,
  sealed: false,
  drained: false,
  stoppingMs: undefined,
  stopTimeoutMs: undefined,
  ...changes,
})
const second = (changes: Partial<PlannedWorker> = {}) => worker({ id: 2, slot: 1, ...changes })
/** Of generation 1, in slot 0. */
const next = (changes: Partial<PlannedWorker> = {}) => worker({ id: 3, generation: 1, state: 'starting', ...changes })
const actual = (workers: PlannedWorker[], history: Record<number, SlotStarts> = {}, proven = ['web']): Actual => ({
  workers,
  history: ({ slot }) => history[slot],
  provenPools: new Set(proven),
})
const both = (changes: Partial<PlannedWorker> = {}) => [worker(changes), second()]
const start = (slot: number, generation = 0): Action => ({ do: 'start', workerSlot: { pool: 'web', slot }, generation })
const failed = (startAtMs: number): SlotStarts => ({ failures: 1, startAtMs, failedMs: [NOW - 10] })

const table: { name: string; desired?: Desired; actual: Actual; actions: Action[]; nextMs?: number }[] = [
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
    name: 'a pool that has been up is never given up',
    actual: actual([], { 0: failed(NOW + 9), 1: failed(NOW) }),
    actions: [start(1)],
    nextMs: NOW + 9,
  },

  {
    name: 'a reload starts a new worker beside the old one, one slot at a time',
    desired: reloading(),
    actual: actual(both()),
    actions: [start(0, 1)],
  },
  {
    name: 'a reload with maxSurge 2 replaces two slots at a time',
    desired: reloading({ maxSurge: 2 }),
    actual: actual(both()),
    actions: [start(0, 1), start(1, 1)],
  },
  {
    name: 'the old worker serves while the new one starts',
    desired: reloading(),
    actual: actual([...both(), next()]),
    actions: [],
    nextMs: NOW + 9000,
  },
  {
    name: 'a replacement that is up waits for settleMs',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 500 })]),
    actions: [],
    nextMs: NOW + 1000,
  },
  {
    name: 'a replacement is admitted after settleMs',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 1500 })]),
    actions: [{ do: 'admit', id: 3 }],
  },
  {
    name: 'a replacement is not admitted if its loop has not turned since',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 1500, silentMs: 900 })]),
    actions: [],
    nextMs: NOW + 100,
  },
  {
    name: 'a replacement that hangs is killed after startTimeoutMs more',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 12_000, silentMs: 11_000 })]),
    actions: [{ do: 'kill', id: 3, why: 'its event loop hangs' }],
    nextMs: NOW + 100,
  },
  {
    name: 'a replacement whose last known turn was before the end of settleMs is checked again soon',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 1600, silentMs: 101 })]),
    actions: [],
    nextMs: NOW + 100,
  },
  {
    name: 'a worker that hangs while it drains is killed',
    actual: actual([...both(), worker({ id: 3, state: 'draining', retiring: 'hang' })]),
    actions: [{ do: 'kill', id: 3, why: 'its event loop hangs' }],
  },
  {
    name: 'a starting replacement that is no longer needed is stopped',
    actual: actual([...both(), worker({ id: 3, state: 'starting' })]),
    actions: [{ do: 'stop', id: 3 }],
  },
  {
    name: 'a ready replacement that is no longer needed drains',
    actual: actual([...both(), worker({ id: 3 })]),
    actions: [{ do: 'drain', id: 3 }],
  },
  {
    name: 'the next start waits for the exit of a worker that was killed while it started',
    actual: actual([worker(), second({ state: 'starting', stoppingMs: NOW - 10 })]),
    actions: [],
    nextMs: NOW - 10 + STOP_MS,
  },
  {
    name: 'if no worker serves, a replacement is admitted at once',
    desired: reloading(),
    actual: actual([next({ upMs: NOW })]),
    actions: [{ do: 'admit', id: 3 }, start(1, 1)],
    nextMs: NOW + 1500,
  },
  {
    name: 'when the new worker serves, the old one drains and the next slot starts',
    desired: reloading(),
    actual: actual([...both(), next({ state: 'ready' })]),
    actions: [{ do: 'drain', id: 1 }, start(1, 1)],
  },
  {
    name: 'a reload of several pools waits until the first new worker of each pool has settled',
    desired: {
      ...reloading(),
      pools: [pool({ generation: 1, previous: 0 }), pool({ name: 'api', workers: 1, generation: 1, previous: 0 })],
    },
    actual: actual([
      ...both(),
      next({ upMs: NOW - 2000 }),
      worker({ id: 4, pool: 'api' }),
      worker({ id: 5, pool: 'api', generation: 1, state: 'starting', upMs: NOW - 1000 }),
    ]),
    actions: [],
    nextMs: NOW + 500,
  },
  {
    name: 'a reload of several pools then goes on in all of them',
    desired: {
      ...reloading(),
      pools: [pool({ generation: 1, previous: 0 }), pool({ name: 'api', workers: 1, generation: 1, previous: 0 })],
    },
    actual: actual([
      ...both(),
      next({ upMs: NOW - 2000 }),
      worker({ id: 4, pool: 'api' }),
      worker({ id: 5, pool: 'api', generation: 1, state: 'starting', upMs: NOW - 1500 }),
    ]),
    actions: [
      { do: 'admit', id: 3 },
      { do: 'admit', id: 5 },
    ],
  },
  {
    name: 'a pool is replaced when the new workers serve and the old ones are gone',
    desired: reloading(),
    actual: actual([next({ state: 'ready' }), next({ id: 4, slot: 1, state: 'ready' })]),
    actions: [{ do: 'record-replaced', pool: 'web' }],
  },
  {
    name: 'a replaced pool is recorded once',
    desired: reloading({ replaced: true }),
    actual: actual([next({ state: 'ready' }), next({ id: 4, slot: 1, state: 'ready' })]),
    actions: [],
  },
  {
    name: 'a pool is not replaced while an old worker drains',
    desired: reloading(),
    actual: actual([next({ state: 'ready' }), next({ id: 4, slot: 1, state: 'ready' }), worker({ state: 'draining' })]),
    actions: [],
    nextMs: NOW + 14_000,
  },
  {
    name: 'a failed reload is reverted before any other action',
    desired: reloading({ failure: 'exit code 1' }),
    actual: actual([...both(), next({ upMs: NOW - 5000 })]),
    actions: [{ do: 'revert', pool: 'web', why: 'exit code 1' }],
  },
  { name: 'after a revert, workers that start for it are stopped', actual: actual([...both(), next()]), actions: [{ do: 'stop', id: 3 }] },
  {
    name: 'after a revert, ready new workers are replaced by the previous generation',
    actual: actual([next({ state: 'ready' }), second()]),
    actions: [start(0, 0)],
  },

  { name: 'a retiring worker is replaced', actual: actual(both({ retiring: 'memory' })), actions: [start(0)] },
  {
    name: 'two retiring workers are not replaced at the same time',
    desired: desired({}, { maxSurge: 2 }),
    actual: actual([worker({ retiring: 'memory' }), second({ retiring: 'memory' })]),
    actions: [start(0)],
  },
  {
    name: 'a second retiring worker waits while the first drains',
    actual: actual([worker({ retiring: 'memory', state: 'draining' }), worker({ id: 3 }), second({ retiring: 'age' })]),
    actions: [],
    nextMs: NOW + 14_000,
  },
  {
    name: 'workers that hang are replaced all at once',
    actual: actual([worker({ retiring: 'hang' }), second({ retiring: 'hang' })]),
    actions: [start(0), start(1)],
  },
  {
    name: 'the replacement of a worker that hangs is admitted at once',
    actual: actual([worker({ retiring: 'hang' }), worker({ id: 3, state: 'starting', upMs: NOW }), second()]),
    actions: [{ do: 'admit', id: 3 }],
  },
  {
    name: 'a worker that hangs is killed when its replacement is ready, since it cannot drain',
    actual: actual([worker({ retiring: 'hang' }), worker({ id: 3 }), second()]),
    actions: [{ do: 'kill', id: 1, why: 'its event loop hangs, and its replacement is ready' }],
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
]

for (const row of table) {
  test(row.name, () => {
    const planned = plan(row.desired ?? desired(), row.actual, NOW)
    assert.equal(planned.actions, row.actions)
    assert.is(planned.nextMs, row.nextMs ?? Number.POSITIVE_INFINITY)
  })
}

const anyWorker = fc.record({
  id: fc.integer({ min: 1, max: 9 }),
  pool: fc.constant('web'),
  slot: fc.integer({ min: 0, max: 1 }),
  generation: fc.integer({ min: 0, max: 1 }),
  state: fc.constantFrom('starting' as const, 'ready' as const, 'draining' as const),
  sinceMs: fc.integer({ min: 0, max: NOW }),
  upMs: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
  silentMs: fc.nat(20_000),
  retiring: fc.option(fc.constantFrom('memory' as const, 'hang' as const, 'age' as const), { nil: undefined }),
  sealed: fc.boolean(),
  drained: fc.boolean(),
  stoppingMs: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
  stopTimeoutMs: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
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
