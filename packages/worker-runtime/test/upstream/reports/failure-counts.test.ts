import { assert, suite } from '../../../../../test/suite.ts'
import { FailureCounts } from '../../../src/upstream/reports/failure-counts.ts'
import { MAX_FAILURE_COUNTS, readUpstreamReport } from '../../../src/upstream-messages.ts'

const test = suite('counts of failed exchanges')

test('failures are counted by server and reason, apart from those that were sent again', () => {
  let now = 0
  const counts = new FailureCounts(() => ++now)
  const server = { slot: 1, generation: 2 }
  counts.record('closed-early', server, true)
  counts.record('connect-failed', server, false)
  counts.record('closed-early', server, false)
  counts.record('no-connection', undefined, false)
  assert.equal(counts.all, [
    { slot: 1, generation: 2, reason: 'connect-failed', failed: 1, retried: 0, atMs: 2 },
    { slot: 1, generation: 2, reason: 'closed-early', failed: 1, retried: 1, atMs: 3 },
    { slot: null, generation: 0, reason: 'no-connection', failed: 1, retried: 0, atMs: 4 },
  ])
})

test('the counts are bounded, and those that failed last are kept', () => {
  const counts = new FailureCounts(() => 0)
  for (let slot = 0; slot <= MAX_FAILURE_COUNTS; slot++) counts.record('closed-early', { slot, generation: 0 }, false)
  assert.is(counts.all.length, MAX_FAILURE_COUNTS)
  assert.is(counts.all[0]?.slot, 1)
})

test('what a worker says of failures is checked', () => {
  const failures = (...all: unknown[]) => readUpstreamReport({ servers: [], failures: all })?.failures
  assert.equal(failures({ slot: -1, reason: 'x'.repeat(100), failed: Number.NaN, retried: '7', atMs: 5 }, 'no', null), [
    { slot: 0, generation: 0, reason: 'x'.repeat(40), failed: 0, retried: 0, atMs: 5 },
  ])
  assert.equal(readUpstreamReport({ servers: [], failures: 'all' })?.failures, [])
  assert.is(failures(...Array(MAX_FAILURE_COUNTS + 1).fill({}))?.length, MAX_FAILURE_COUNTS)
})

test.run()
