// The samples of the last hour, and what they are computed from.

import { responseBoundsMs } from '@switchyard/handoff'
import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { History, MAX_SAMPLES } from '../../src/dashboard/history.ts'
import type { BalancerStatus, WorkerStatus } from '../../src/status.ts'
import { calmPool, statusOf, workerOf } from '../support/fake-balancer.ts'

const test = suite('dashboard: history')

function withWorkers(...workers: WorkerStatus[]): BalancerStatus {
  return statusOf({ pools: [{ ...calmPool, name: 'web', ready: workers.length, desired: workers.length, boardFaults: 0, workers }] })
}

/** `begun` requests, all of which took 1 to 2.5 ms. */
function worker(slot: number, pid: number, begun: number, failed = 0): WorkerStatus {
  const counts = [0, begun, ...responseBoundsMs.slice(1).map(() => 0)]
  const details = {
    heapUsedBytes: 0,
    heapLimitBytes: 0,
    loopDelay: { p50Ms: 0, p99Ms: 0, maxMs: 0 },
    responses: { counts, sumMs: begun },
  }
  return workerOf(slot, { pid, begun, failed, details })
}

test('a sample has rates since the one before', () => {
  const history = new History()
  assert.is(history.add(withWorkers(worker(0, 1, 100)), 0), undefined)
  const row = history.add(withWorkers(worker(0, 1, 150, 5)), 5_000)
  assert.equal([row?.times, row?.requests, row?.failed], [[5_000], [10], [1]])
  assert.ok((row?.p50Ms[0] ?? 0) > 1 && (row?.p99Ms[0] ?? 0) < 2.5)
})

test('a replaced worker never makes a rate fall below 0', () => {
  const history = new History()
  history.add(withWorkers(worker(0, 1, 1_000), worker(1, 2, 1_000)), 0)
  const row = history.add(withWorkers(worker(0, 3, 20), worker(1, 2, 1_010)), 10_000)
  assert.equal(row?.requests, [3])
})

test('without responses a time is unknown', () => {
  const history = new History()
  history.add(withWorkers(worker(0, 1, 10)), 0)
  assert.equal(history.add(withWorkers(worker(0, 1, 10)), 5_000)?.p99Ms, [null])
})

test('an hour is kept, the oldest first', () => {
  const history = new History()
  for (let sample = 0; sample <= MAX_SAMPLES + 10; sample++) history.add(withWorkers(worker(0, 1, sample * 5)), sample * 5_000)
  const { times, requests } = history.read()
  assert.is(times.length, MAX_SAMPLES)
  assert.equal([times[0], times.at(-1)], [11 * 5_000, (MAX_SAMPLES + 10) * 5_000])
  assert.is(requests.length, MAX_SAMPLES)
})

test('a sample has the mean of the loops since the one before', () => {
  const history = new History()
  const loop = (busyMs: number, utilisation: number) => ({
    pool: 'web',
    slot: 0,
    pid: 1,
    state: 'ready' as const,
    silentMs: 0,
    load: { busyMs, utilisation },
  })
  history.add(withWorkers(), 0)
  history.readLoops([loop(1, 0.2), loop(1, 0.4)])
  history.readLoops([loop(1, 0.2), loop(400, 0)])
  const row = history.add(withWorkers(), 5_000)
  assert.equal([row?.loop, row?.busiestLoop], [[0.45], [0.7]])
  assert.equal(history.add(withWorkers(), 10_000)?.loop, [null])
})

test('a clock that jumps back adds no sample', () => {
  const history = new History()
  history.add(withWorkers(worker(0, 1, 1)), 10_000)
  assert.is(history.add(withWorkers(worker(0, 1, 2)), 5_000), undefined)
})

test.run()
