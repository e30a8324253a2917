// The plan for one-off processes of a schedule, and for workers that have ended for good.

import { assert, suite } from '../../../../test/suite.ts'
import { plan } from '../../src/supervisor/plan.ts'
import type { PlannedWorker } from '../../src/supervisor/plan-input.ts'
import { slotForRun } from '../../src/supervisor/plan-runs.ts'
import { actual, desired, NOW, start, worker } from './plan-states.ts'

const test = suite('plan of one-off processes')
const run = (changes: Partial<PlannedWorker> = {}) => worker({ isOneOff: true, ...changes })
const schedule = (changes = {}, more = {}) => desired(more, { workers: 0, isOneOff: true, ...changes })
const actionsOf = (of: ReturnType<typeof desired>, workers: PlannedWorker[]) => plan(of, actual(workers), NOW).actions

test('a slot that is due gets a process, unless one is there', () => {
  assert.equal(actionsOf(schedule({ due: new Set([0]) }), []), [start(0)])
  assert.equal(actionsOf(schedule({ due: new Set([0]) }), [run()]), [])
  assert.equal(actionsOf(schedule(), []), [])
})

test('it is admitted at once, and has as long as it likes', () => {
  assert.equal(actionsOf(schedule(), [run({ state: 'starting', sinceMs: 0 })]), [{ do: 'admit', id: 1 }])
  assert.equal(actionsOf(schedule(), [run({ sinceMs: 0 })]), [])
})

test('a reload leaves it alone and is over at once', () => {
  assert.equal(actionsOf(schedule({ generation: 1, previous: 0 }), [run()]), [{ do: 'record-replaced', pool: 'web' }])
})

test('a pool that had workers before loses them', () => {
  assert.equal(actionsOf(schedule({ generation: 1, previous: 0 }), [worker()]), [{ do: 'drain', id: 1 }])
})

test('out of service, or without a config that names the pool, it drains', () => {
  assert.equal(actionsOf(schedule({ held: new Set([0]) }), [run()]), [{ do: 'drain', id: 1 }])
  assert.equal(actionsOf(schedule({ isDropped: true, due: new Set([1]) }), [run()]), [{ do: 'drain', id: 1 }])
})

test('at a stop it may finish its work until the drain is over, is told to stop then, and killed at last', () => {
  const stopping = schedule({}, { stopping: true })
  assert.equal(actionsOf(stopping, [run()]), [{ do: 'drain', id: 1 }])
  assert.equal(actionsOf(stopping, [run({ state: 'draining', sinceMs: NOW - 29_999, sealed: true, drained: true })]), [])
  assert.equal(actionsOf(stopping, [run({ state: 'draining', sinceMs: NOW - 30_000 })]), [{ do: 'stop', id: 1 }])
  const late = run({ state: 'draining', sinceMs: NOW - 40_000, stoppingMs: NOW - 5000 })
  assert.equal(
    actionsOf(stopping, [late]).map((action) => action.do),
    ['kill'],
  )
  assert.equal(
    actionsOf({ ...stopping, drainTimeoutMs: 0 }, [run({ state: 'draining' })]).map((action) => action.do),
    ['kill'],
  )
})

test('beyond a limit it is told to stop, and not replaced', () => {
  assert.equal(actionsOf(schedule(), [run({ retiring: 'age' })]), [{ do: 'stop', id: 1 }])
})

test('the first free slot is used, and none beyond the most', () => {
  const none = { due: new Set<number>(), held: new Set<number>() }
  const slots = { due: new Set([0]), held: new Set([1]) }
  assert.is(
    slotForRun(none, 1, () => false),
    0,
  )
  assert.is(
    slotForRun(none, 2, (slot) => slot === 0),
    1,
  )
  assert.is(
    slotForRun(none, 2, () => true),
    'busy',
  )
  assert.is(
    slotForRun(slots, 2, () => false),
    'busy',
  )
  assert.is(
    slotForRun(slots, 3, () => false),
    2,
  )
  assert.is(
    slotForRun({ ...none, held: new Set([0]) }, 1, () => false),
    'held',
  )
})

test('a slot whose worker has ended for good stays empty, and a reload does not wait for it', () => {
  const ended = { workers: 1, finished: new Set([0]) }
  assert.equal(actionsOf(desired({}, ended), []), [])
  assert.equal(actionsOf(desired({}, { ...ended, generation: 1, previous: 0 }), []), [{ do: 'record-replaced', pool: 'web' }])
})

test.run()
