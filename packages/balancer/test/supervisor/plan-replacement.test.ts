// The supervisor's plan for workers that are replaced: by a reload, after its revert, or because they retire or hang.

import { suite } from '../../../../test/suite.ts'
import { STOP_MS } from '../../src/supervisor/plan.ts'
import { actual, both, desired, NOW, next, planTable, pool, reloading, second, start, worker } from './plan-states.ts'

const test = suite('plan of replacements')

planTable(test, [
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
])

test.run()
