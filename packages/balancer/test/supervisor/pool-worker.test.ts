// The weight of a worker over time, on a fake clock.

import { portableTransport } from '@switchyard/handoff'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import type { PoolSettings } from '../../src/settings.ts'
import { PoolWorker } from '../../src/supervisor/pool-worker.ts'
import { plainPool } from '../support/plain-pool.ts'

const test = suite('pool worker')
const slowStart = { windowMs: 10_000, from: 0.1, aggression: 1 }
const now = Date.now
let nowMs = 1_800_000_000_000
Date.now = () => nowMs
atSuiteEnd(() => {
  Date.now = now
})

function workerAt(slot: number, changes: Partial<PoolSettings> = {}): PoolWorker {
  const worker = new PoolWorker(
    portableTransport(),
    'web',
    slot,
    0,
    nowMs,
    { onGivenBack() {}, onAsked() {}, onTurned() {}, onBatchEnd() {} },
    plainPool(changes),
  )
  atSuiteEnd(() => worker.channel.close())
  return worker
}

test('a worker has the weight of its slot, or 1', () => {
  const settings = { weights: [2, 0.5], slowStart: undefined }
  assert.equal(
    [0, 1, 2].map((slot) => workerAt(slot, settings).weight),
    [2, 0.5, 1],
  )
  assert.is(workerAt(0).weight, 1)
})

test('the weight grows from the moment the worker is ready, and stays whole afterwards', () => {
  const worker = workerAt(0, { weights: [2], slowStart })
  worker.state = 'ready'
  worker.sinceMs = nowMs
  for (const [afterMs, weight] of [
    [0, 0.2],
    [2500, 0.5],
    [5000, 1],
    [10_000, 2],
    // A clock that is set back does not restart the slow start.
    [0, 2],
  ] as const) {
    nowMs = worker.sinceMs + afterMs
    assert.is(worker.weight, weight, `after ${afterMs} ms`)
    assert.is(worker.weight, weight)
    assert.is(worker.seatWeight, 2)
  }
})

test('the slow start begins when the worker is ready, however long it took to start', () => {
  const worker = workerAt(0, { weights: [], slowStart })
  nowMs += 20_000
  assert.is(worker.weight, 1)
  worker.state = 'ready'
  worker.sinceMs = nowMs
  assert.is(worker.weight, 0.1)
})

test.run()
