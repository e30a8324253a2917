// The ideal, against cases worked out by hand.

import { assert, suite } from '../../test/suite.ts'
import { centralQueue } from '../src/central-queue.ts'

const test = suite('bench central queue')

const jobs = (...all: readonly (readonly [atMs: number, blockMs: number, timerMs?: number])[]) =>
  all.map(([atMs, blockMs, timerMs = 0]) => ({ atMs, blockMs, timerMs }))

test('an empty trace has no latencies', () => {
  assert.equal(centralQueue([], 2), [])
})

test('one worker serves in order of arrival', () => {
  // Ends at 10, 15, 16, and after a pause at 40.
  assert.equal(centralQueue(jobs([0, 10], [2, 5], [3, 1], [30, 10]), 1), [10, 13, 13, 10])
})

test('the first free worker takes the next job, so a light one never waits behind a heavy one while another worker is free', () => {
  // One worker has the heavy job until 100, the other the rest: ends at 2, 4 and 12.
  assert.equal(centralQueue(jobs([0, 100], [0, 2], [1, 2], [10, 2]), 2), [100, 2, 3, 2])
})

test('all workers occupied: the first job in the queue gets the first free worker', () => {
  // Free at 10, 20, 30. The fourth starts at 10 and ends at 50, the fifth starts at 20 and ends at 25, the sixth starts at 25.
  assert.equal(centralQueue(jobs([0, 10], [0, 20], [0, 30], [1, 40], [2, 5], [3, 5]), 3), [10, 20, 30, 49, 23, 27])
})

test('timers run side by side, and a job joins the queue when its own is over', () => {
  // On one worker: the second is served from 5 to 55, the first, whose timer ends at 20, from 55 to 56, the third from 56.
  assert.equal(centralQueue(jobs([0, 1, 20], [5, 50], [30, 2, 5]), 1), [56, 50, 28])
  assert.equal(centralQueue(jobs([0, 1, 100], [0, 1, 100], [0, 1, 100]), 2), [101, 101, 102])
})

test('more workers are never worse', () => {
  const trace = Array.from({ length: 200 }, (_, index) => ({ atMs: index * 3, blockMs: (index * 7) % 40, timerMs: index % 3 }))
  const worst = [1, 2, 3, 8].map((workers) => Math.max(...centralQueue(trace, workers)))
  assert.equal(
    worst,
    [...worst].sort((one, other) => other - one),
  )
  assert.is(worst.at(-1), Math.max(...trace.map(({ blockMs, timerMs }) => blockMs + timerMs)))
})

test.run()
