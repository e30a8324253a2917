import type { FailureCount, ServerReport, UpstreamReport } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { exchangesText } from '../../src/cli/insight/errors.ts'
import { ServerCounts } from '../../src/upstreams/server-counts.ts'

const test = suite('counts of upstream servers')

const server = (requests: number, failures = 0, slot = 0): ServerReport => ({
  ...{ slot, generation: 0, state: 'up', inFlight: 0, connections: 0, latencyMs: 0, requests, failures },
  lastFailure: failures > 0 ? 'connect-failed' : undefined,
})
const failure = (failed: number, retried: number, atMs: number, changes: Partial<FailureCount> = {}): FailureCount => ({
  ...{ slot: 0, generation: 0, reason: 'connect-failed', failed, retried, atMs, ...changes },
})
const report = (servers: ServerReport[], failures: FailureCount[] = []): UpstreamReport => ({ version: 1, waiting: 0, servers, failures })

const opened = () =>
  new ServerCounts({
    pool: 'legacy',
    nameOf: (slot, generation) => (generation === 0 && slot < 500 ? { name: `http://s${slot}`, address: undefined } : undefined),
  })

test('a new worker counts on where the last one ended', () => {
  const counts = opened()
  const first = report([server(10, 2)])
  counts.add(undefined, first)
  counts.add(first, report([server(15, 2)]))
  // The next worker counts from 0, and has had no failure.
  counts.add(undefined, report([server(0)]))
  counts.add(report([server(0)]), report([server(4)]))
  assert.equal(counts.of({ slot: 0, generation: 0 }), { requests: 19, failures: 2, lastFailure: 'connect-failed' })
  assert.is(counts.of({ slot: 0, generation: 1 }).requests, 0)
})

test('a worker that counts downwards takes nothing away', () => {
  const counts = opened()
  counts.add(undefined, report([server(10)]))
  counts.add(report([server(10)]), report([server(3)]))
  assert.is(counts.of({ slot: 0, generation: 0 }).requests, 10)
})

test('failed exchanges of several workers are added up by server and reason, the last one at the end', () => {
  const counts = opened()
  const first = report([], [failure(1, 2, 5_000), failure(1, 0, 1_000, { slot: null, reason: 'no-connection' })])
  counts.add(undefined, first)
  counts.add(first, report([], [failure(2, 2, 7_000), ...first.failures.slice(1)]))
  counts.add(undefined, report([], [failure(0, 1, 6_000), failure(1, 0, 8_000, { generation: 3 })]))
  assert.equal(
    counts.failedExchanges.map(({ slot, server, reason, failed, retried, time }) => [slot, server, reason, failed, retried, time]),
    [
      [null, null, 'no-connection', 1, 0, 1_000],
      [0, 'http://s0', 'connect-failed', 2, 3, 7_000],
      [0, null, 'connect-failed', 1, 0, 8_000],
    ],
  )
})

test('the rows are bounded, and those that failed last are kept', () => {
  const counts = opened()
  for (let slot = 0; slot < 600; slot++) counts.add(undefined, report([], [failure(1, 0, slot, { slot })]))
  assert.is(counts.failedExchanges.length, 500)
  assert.is(counts.failedExchanges[0]?.slot, 100)
})

test('balancer errors names the server, the reason, and how often and when it failed last', () => {
  const counts = opened()
  counts.add(undefined, report([], [failure(1, 2, 0)]))
  assert.equal(
    exchangesText(counts.failedExchanges)
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/)),
    [
      ['Exchanges with upstream servers that failed:'],
      ['SERVER', 'URL', 'REASON', 'FAILED', 'SENT AGAIN', 'LAST'],
      ['legacy/0', 'http://s0', 'connect-failed', '1', '2', '1970-01-01T00:00:00.000Z'],
    ],
  )
})

test.run()
