// The plan as a table, and over random histories.

import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import {
  type Action,
  type Actual,
  type Desired,
  LEAVE_MS,
  type PlannedWorker,
  plan,
  restartDelayMs,
  type SeatHistory,
} from '../src/supervisor/plan.ts'

const test = suite('plan')
const NOW = 100_000

const desired = (changes: Partial<Desired> = {}): Desired => ({
  seats: [
    { pool: 'web', slot: 0 },
    { pool: 'web', slot: 1 },
  ],
  stopping: false,
  startTimeoutMs: 10_000,
  drainTimeoutMs: 30_000,
  ...changes,
})
const worker = (changes: Partial<PlannedWorker> = {}): PlannedWorker => ({
  id: 1,
  pool: 'web',
  slot: 0,
  state: 'ready',
  sinceMs: NOW - 1000,
  drained: false,
  leavingMs: undefined,
  ...changes,
})
const actual = (workers: PlannedWorker[], history: Record<number, SeatHistory> = {}, proven = ['web']): Actual => ({
  workers,
  history: ({ slot }) => history[slot],
  provenPools: new Set(proven),
})
const both = (changes: Partial<PlannedWorker> = {}) => [worker(changes), worker({ id: 2, slot: 1 })]
const start = (slot: number): Action => ({ do: 'start', seat: { pool: 'web', slot } })
const failed = (startAtMs: number): SeatHistory => ({ failures: 1, startAtMs })

const table: { name: string; desired?: Desired; actual: Actual; actions: Action[]; nextMs?: number }[] = [
  { name: 'all seats are started at once', actual: actual([], {}, []), actions: [start(0), start(1)] },
  { name: 'nothing is done when all is well', actual: actual(both()), actions: [] },
  { name: 'an empty seat is filled', actual: actual([worker()]), actions: [start(1)] },
  { name: 'a seat in back-off waits', actual: actual([worker()], { 1: failed(NOW + 400) }), actions: [], nextMs: NOW + 400 },
  { name: 'a back-off that is over ends', actual: actual([worker()], { 1: failed(NOW) }), actions: [start(1)] },
  {
    name: 'a worker that does not listen in time is killed',
    actual: actual(both({ state: 'starting', sinceMs: NOW - 10_000 })),
    actions: [{ do: 'kill', id: 1, why: 'it did not listen within 10000 ms' }],
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
    name: 'stopping drains who is ready and ends who starts',
    desired: desired({ stopping: true }),
    actual: actual([worker(), worker({ id: 2, slot: 1, state: 'starting' })]),
    actions: [
      { do: 'drain', id: 1 },
      { do: 'leave', id: 2 },
    ],
  },
  {
    name: 'a drained worker is asked to leave',
    desired: desired({ stopping: true }),
    actual: actual([worker({ state: 'draining', drained: true })]),
    actions: [{ do: 'leave', id: 1 }],
  },
  {
    name: 'a drain has a deadline',
    desired: desired({ stopping: true, drainTimeoutMs: 1000 }),
    actual: actual([worker({ state: 'draining' })]),
    actions: [{ do: 'kill', id: 1, why: 'it had not drained within 1000 ms' }],
  },
  {
    name: 'a worker that was asked to leave is waited for, then killed',
    desired: desired({ stopping: true }),
    actual: actual([worker({ state: 'draining', leavingMs: NOW - LEAVE_MS }), worker({ id: 2, state: 'draining', leavingMs: NOW - 1 })]),
    actions: [{ do: 'kill', id: 1, why: `it did not leave within ${LEAVE_MS} ms` }],
    nextMs: NOW - 1 + LEAVE_MS,
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
  state: fc.constantFrom('starting' as const, 'ready' as const, 'draining' as const),
  sinceMs: fc.integer({ min: 0, max: NOW }),
  drained: fc.boolean(),
  leavingMs: fc.option(fc.integer({ min: 0, max: NOW }), { nil: undefined }),
})

test('whatever is there: no seat is filled twice, nobody is acted on twice, time goes on', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyWorker, { selector: ({ id }) => id }), fc.boolean(), fc.boolean(), (workers, stopping, proven) => {
      const { actions, nextMs } = plan(desired({ stopping }), actual(workers, {}, proven ? ['web'] : []), NOW)
      const ids = actions.flatMap((action) => ('id' in action ? [action.id] : []))
      const slots = actions.flatMap((action) => (action.do === 'start' ? [action.seat.slot] : []))
      assert.is(new Set(ids).size, ids.length)
      assert.is(new Set(slots).size, slots.length)
      for (const slot of slots) assert.not.ok(workers.some((one) => one.slot === slot))
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

test('back-off doubles from the first delay to the longest, with jitter in its upper half', () => {
  assert.equal(
    [0, 1, 2, 3, 20].map((failures) => restartDelayMs(failures, 1, 100, 30_000)),
    [100, 200, 400, 800, 30_000],
  )
  assert.is(restartDelayMs(2, 0, 100, 30_000), 200)
})

test.run()
