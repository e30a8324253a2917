// The plan as a table, and over random histories.

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
/** Generation 1 takes the place of generation 0. */
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
  { name: 'all seats are started at once', actual: actual([], {}, []), actions: [start(0), start(1)] },
  { name: 'nothing is done when all is well', actual: actual(both()), actions: [] },
  { name: 'an empty seat is filled', actual: actual([worker()]), actions: [start(1)] },
  {
    name: 'an empty seat is filled while the one who left it drains',
    actual: actual([worker(), second({ state: 'draining' })]),
    actions: [start(1)],
    nextMs: NOW + 14_000,
  },
  { name: 'a seat in back-off waits', actual: actual([worker()], { 1: failed(NOW + 400) }), actions: [], nextMs: NOW + 400 },
  { name: 'a back-off that is over ends', actual: actual([worker()], { 1: failed(NOW) }), actions: [start(1)] },
  {
    name: 'a seat whose workers fail too often is broken',
    actual: actual([worker()], { 1: { failures: 4, startAtMs: NOW, failedMs: [1, 2, 3, 4].map((ago) => NOW - ago * 1000) } }),
    actions: [{ do: 'break', workerSlot: { pool: 'web', slot: 1 } }],
  },
  {
    name: 'failures of long ago break nothing',
    actual: actual([worker()], { 1: { failures: 4, startAtMs: NOW, failedMs: [1, 2, 3, 99].map((ago) => NOW - ago * 1000) } }),
    actions: [start(1)],
  },
  { name: 'a broken seat stays empty', desired: desired({}, { broken: new Set([1]) }), actual: actual([worker()]), actions: [] },
  {
    name: 'that every seat is broken and nobody serves is noted',
    desired: desired({}, { broken: new Set([0, 1]) }),
    actual: actual([], { 0: failed(NOW), 1: failed(NOW) }),
    actions: [{ do: 'begin-outage', pool: 'web' }],
    nextMs: NOW + 29_990,
  },
  {
    name: 'then the seat that has failed longest ago is tried again',
    desired: desired({}, { broken: new Set([0, 1]), isInOutage: true }),
    actual: actual([], { 0: { ...failed(NOW), failedMs: [NOW - 30_000] }, 1: { ...failed(NOW), failedMs: [NOW - 40_000] } }),
    actions: [start(1)],
  },
  {
    name: 'and no other while it comes up',
    desired: desired({}, { broken: new Set([0, 1]), isInOutage: true }),
    actual: actual([worker({ state: 'starting' })], { 0: failed(NOW), 1: failed(NOW - 90_000) }),
    actions: [],
    nextMs: NOW + 9000,
  },
  {
    name: 'a seat that is held is not tried',
    desired: desired({}, { broken: new Set([0]), held: new Set([1]), isInOutage: true }),
    actual: actual([], { 0: { ...failed(NOW), failedMs: [NOW - 30_000] } }),
    actions: [start(0)],
  },
  {
    name: 'who comes up with nobody to compare is admitted at once',
    actual: actual(both({ state: 'starting', upMs: NOW })),
    actions: [{ do: 'admit', id: 1 }],
  },
  {
    name: 'a worker that does not come up in time is killed',
    actual: actual(both({ state: 'starting', sinceMs: NOW - 10_000 })),
    actions: [{ do: 'kill-late', id: 1, afterMs: 10_000 }],
  },
  { name: 'a worker that starts is given its time', actual: actual(both({ state: 'starting' })), actions: [], nextMs: NOW + 9000 },
  {
    name: 'a pool that never came up is given up when every seat has failed',
    actual: actual([], { 0: failed(NOW), 1: failed(NOW) }, []),
    actions: [{ do: 'give-up', pool: 'web' }],
  },
  {
    name: 'a pool is not given up while a seat has not failed',
    actual: actual([], { 0: failed(NOW + 50) }, []),
    actions: [start(1)],
    nextMs: NOW + 50,
  },
  {
    name: 'a seat that has failed waits for the first starts of the others, for these decide whether there is a second',
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
    name: 'a reload starts a new worker beside the old one, one seat at a time',
    desired: reloading(),
    actual: actual(both()),
    actions: [start(0, 1)],
  },
  {
    name: 'with a larger surge more at a time',
    desired: reloading({ maxSurge: 2 }),
    actual: actual(both()),
    actions: [start(0, 1), start(1, 1)],
  },
  {
    name: 'while the new one starts the old one serves',
    desired: reloading(),
    actual: actual([...both(), next()]),
    actions: [],
    nextMs: NOW + 9000,
  },
  {
    name: 'who is up is on trial',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 500 })]),
    actions: [],
    nextMs: NOW + 1000,
  },
  {
    name: 'and is admitted after it',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 1500 })]),
    actions: [{ do: 'admit', id: 3 }],
  },
  {
    name: 'but not when its loop does not turn',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 1500, silentMs: 900 })]),
    actions: [],
    nextMs: NOW + 100,
  },
  {
    name: 'one that hangs on trial is killed in the end',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 12_000, silentMs: 11_000 })]),
    actions: [{ do: 'kill', id: 3, why: 'its loop hangs' }],
    nextMs: NOW + 100,
  },
  {
    name: 'one whose loop was last seen to turn before its trial was over is looked at again',
    desired: reloading(),
    actual: actual([...both(), next({ upMs: NOW - 1600, silentMs: 101 })]),
    actions: [],
    nextMs: NOW + 100,
  },
  {
    name: 'one that hangs while it drains is killed',
    actual: actual([...both(), worker({ id: 3, state: 'draining', retiring: 'hang' })]),
    actions: [{ do: 'kill', id: 3, why: 'its loop hangs' }],
  },
  {
    name: 'a replacement that was called off leaves',
    actual: actual([...both(), worker({ id: 3, state: 'starting' })]),
    actions: [{ do: 'stop', id: 3 }],
  },
  {
    name: 'and drains if it serves already',
    actual: actual([...both(), worker({ id: 3 })]),
    actions: [{ do: 'drain', id: 3 }],
  },
  {
    name: 'one that was killed while it came up is waited for, and counted, before the next',
    actual: actual([worker(), second({ state: 'starting', stoppingMs: NOW - 10 })]),
    actions: [],
    nextMs: NOW - 10 + STOP_MS,
  },
  {
    name: 'with nobody left who serves there is no trial',
    desired: reloading(),
    actual: actual([next({ upMs: NOW })]),
    actions: [{ do: 'admit', id: 3 }, start(1, 1)],
    nextMs: NOW + 1500,
  },
  {
    name: 'when the new one serves the old one drains, and the next seat has its turn',
    desired: reloading(),
    actual: actual([...both(), next({ state: 'ready' })]),
    actions: [{ do: 'drain', id: 1 }, start(1, 1)],
  },
  {
    name: 'a reload of several pools waits until the first new worker of each has stood its trial',
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
    name: 'and then goes on in all of them',
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
    name: 'all are replaced when the new ones serve and the old ones are gone',
    desired: reloading(),
    actual: actual([next({ state: 'ready' }), next({ id: 4, slot: 1, state: 'ready' })]),
    actions: [{ do: 'record-replaced', pool: 'web' }],
  },
  {
    name: 'which is noted once',
    desired: reloading({ replaced: true }),
    actual: actual([next({ state: 'ready' }), next({ id: 4, slot: 1, state: 'ready' })]),
    actions: [],
  },
  {
    name: 'and not while an old one drains',
    desired: reloading(),
    actual: actual([next({ state: 'ready' }), next({ id: 4, slot: 1, state: 'ready' }), worker({ state: 'draining' })]),
    actions: [],
    nextMs: NOW + 14_000,
  },
  {
    name: 'a reload that has failed is taken back before anything else is done',
    desired: reloading({ failure: 'exit code 1' }),
    actual: actual([...both(), next({ upMs: NOW - 5000 })]),
    actions: [{ do: 'revert', pool: 'web', why: 'exit code 1' }],
  },
  { name: 'what was starting for it leaves', actual: actual([...both(), next()]), actions: [{ do: 'stop', id: 3 }] },
  {
    name: 'what had come up is replaced by the generation before, new ones first',
    actual: actual([next({ state: 'ready' }), second()]),
    actions: [start(0, 0)],
  },

  { name: 'a worker that retires is replaced', actual: actual(both({ retiring: 'memory' })), actions: [start(0)] },
  {
    name: 'two that retire are never replaced at once',
    desired: desired({}, { maxSurge: 2 }),
    actual: actual([worker({ retiring: 'memory' }), second({ retiring: 'memory' })]),
    actions: [start(0)],
  },
  {
    name: 'and the second waits while the first drains',
    actual: actual([worker({ retiring: 'memory', state: 'draining' }), worker({ id: 3 }), second({ retiring: 'age' })]),
    actions: [],
    nextMs: NOW + 14_000,
  },
  {
    name: 'those that hang are replaced all at once',
    actual: actual([worker({ retiring: 'hang' }), second({ retiring: 'hang' })]),
    actions: [start(0), start(1)],
  },
  {
    name: 'who takes the place of one that hangs is admitted at once',
    actual: actual([worker({ retiring: 'hang' }), worker({ id: 3, state: 'starting', upMs: NOW }), second()]),
    actions: [{ do: 'admit', id: 3 }],
  },
  {
    name: 'and then that one is killed, for it can not drain',
    actual: actual([worker({ retiring: 'hang' }), worker({ id: 3 }), second()]),
    actions: [{ do: 'kill', id: 1, why: 'its loop hangs, and another has taken its place' }],
  },

  {
    name: 'scaling down drains the highest slots',
    desired: desired({}, { workers: 1 }),
    actual: actual(both()),
    actions: [{ do: 'drain', id: 2 }],
  },
  { name: 'scaling up starts more', desired: desired({}, { workers: 3 }), actual: actual(both()), actions: [start(2)] },
  {
    name: 'a seat that is held is drained and stays empty',
    desired: desired({}, { held: new Set([0]) }),
    actual: actual(both()),
    actions: [{ do: 'drain', id: 1 }],
  },

  {
    name: 'stopping drains who is ready and ends who starts',
    desired: desired({ stopping: true }),
    actual: actual([worker(), second({ state: 'starting' })]),
    actions: [
      { do: 'drain', id: 1 },
      { do: 'stop', id: 2 },
    ],
  },
  {
    name: 'a drained worker is asked to leave',
    desired: desired({ stopping: true }),
    actual: actual([worker({ state: 'draining', drained: true })]),
    actions: [{ do: 'stop', id: 1 }],
  },
  {
    name: 'who drains may be come back to for half of its time',
    actual: actual([second(), worker(), worker({ id: 3, state: 'draining', sinceMs: NOW - 500 })]),
    desired: desired({ drainTimeoutMs: 1001 }),
    actions: [],
    nextMs: NOW + 0.5,
  },
  {
    name: 'and for no longer: what is under way has the rest',
    actual: actual([second(), worker(), worker({ id: 3, state: 'draining', sinceMs: NOW - 500 })]),
    desired: desired({ drainTimeoutMs: 1000 }),
    actions: [{ do: 'seal', id: 3 }],
    nextMs: NOW + 500,
  },
  {
    name: 'once',
    actual: actual([second(), worker(), worker({ id: 3, state: 'draining', sealed: true, sinceMs: NOW - 500 })]),
    desired: desired({ drainTimeoutMs: 1000 }),
    actions: [],
    nextMs: NOW + 500,
  },
  {
    name: 'a drain has a deadline',
    desired: desired({ stopping: true, drainTimeoutMs: 1000 }),
    actual: actual([worker({ state: 'draining' })]),
    actions: [{ do: 'kill', id: 1, why: 'it had not drained within 1000 ms' }],
  },
  {
    name: 'a worker that was told to end has what is left of its drain for it, then it is killed',
    desired: desired({ stopping: true, drainTimeoutMs: 20_000 }),
    actual: actual([
      worker({ state: 'draining', sinceMs: NOW - 20_000, stoppingMs: NOW - 15_000 }),
      worker({ id: 2, state: 'draining', sinceMs: NOW - 16_000, stoppingMs: NOW - 15_000 }),
    ]),
    actions: [{ do: 'kill', id: 1, why: 'it had not ended 15000 ms after it was told to (stopTimeoutMs)' }],
    nextMs: NOW + 4000,
  },
  {
    name: 'and a few seconds at least, also one that never drained',
    desired: desired({ stopping: true, drainTimeoutMs: 1000 }),
    actual: actual([
      worker({ state: 'draining', sinceMs: NOW - STOP_MS - 900, stoppingMs: NOW - STOP_MS }),
      worker({ id: 2, state: 'draining', stoppingMs: NOW - 1 }),
      worker({ id: 3, state: 'starting', stoppingMs: NOW - 2 }),
    ]),
    actions: [{ do: 'kill', id: 1, why: `it had not ended ${STOP_MS} ms after it was told to (stopTimeoutMs)` }],
    nextMs: NOW - 2 + STOP_MS,
  },
  {
    name: 'or as long as its pool says',
    desired: desired({ stopping: true }),
    actual: actual([
      worker({ state: 'draining', stoppingMs: NOW - 100, stopTimeoutMs: 100 }),
      worker({ id: 2, state: 'draining', sinceMs: NOW - 40_000, stoppingMs: NOW - 35_000, stopTimeoutMs: 40_000 }),
    ]),
    actions: [{ do: 'kill', id: 1, why: 'it had not ended 100 ms after it was told to (stopTimeoutMs)' }],
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

test('whatever is there: no seat is filled twice, nobody is acted on twice, time goes on', () => {
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

test('stopping always ends: every worker has an action or a moment', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyWorker, { selector: ({ id }) => id, minLength: 1 }), (workers) => {
      const { actions, nextMs } = plan(desired({ stopping: true }), actual(workers), NOW)
      assert.ok(actions.length > 0 || nextMs !== Number.POSITIVE_INFINITY)
    }),
  )
})

test('whoever is done with is never acted on but to see it off', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyWorker, { selector: ({ id }) => id }), (workers) => {
      const { actions } = plan(desired(), actual(workers), NOW)
      for (const action of actions) {
        const one = 'id' in action ? workers.find(({ id }) => id === action.id) : undefined
        if (one !== undefined && (one.state === 'draining' || one.stoppingMs !== undefined))
          assert.ok(['seal', 'leave', 'kill'].includes(action.do))
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
