// The report of `sessions`, a run of all contenders, and of some that lose sessions.

import { assert, suite } from '../../test/suite.ts'
import { sessionContenders } from '../src/contenders.ts'
import { readOptions } from '../src/options.ts'
import type { Verdict } from '../src/report.ts'
import { type SessionRow, sessionRows, sessionTable, sessionVerdicts } from '../src/session-report.ts'
import { CONNECT_REDIS, VISITORS } from '../src/session-scenarios.ts'
import type { SessionSample } from '../src/sessions.ts'
import { contenders as readers } from './fixtures/readers.js'
import { dataOf, fixtureFile, measured, start, startWith } from './run.ts'

const test = suite('bench sessions', { timeoutMs: 60_000 })

const sample = (changes: Partial<SessionSample> = {}): SessionSample => ({
  load: 'wrk',
  scenario: 'read-write',
  contender: 'redis, near cache',
  round: 1,
  requests: 10_000,
  seconds: 2,
  cpuMs: 500,
  redisCpuMs: 50,
  roundTrips: 10_000,
  ...changes,
})
const theirs = (changes: Partial<SessionSample> = {}): SessionSample =>
  sample({ contender: CONNECT_REDIS, requests: 4_000, roundTrips: 8_000, ...changes })

test('a row has the medians of its rounds, per request, and its throughput beside that of connect-redis', () => {
  const rows = sessionRows([sample(), theirs(), sample({ requests: 20_000 }), sample({ requests: 12_500, cpuMs: 750 })])
  assert.equal(rows[0], {
    load: 'wrk',
    scenario: 'read-write',
    contender: 'redis, near cache',
    rounds: 3,
    requestsPerSecond: 6_250,
    requestsPerSecondLowest: 5_000,
    requestsPerSecondHighest: 10_000,
    againstConnectRedis: 3.125,
    cpuUs: 50,
    redisUs: 4,
    roundTrips: 0.8,
  })
  assert.match(
    sessionTable(rows),
    /\| read-write \| redis, near cache +\| +6,250 \| +5,000–10,000 \| +3\.13 \| +50\.0 \| +4\.0 \| +0\.800 \|/,
  )
})

test('a contender without Redis has no round trips', () => {
  const [row] = sessionRows([sample({ contender: 'embedded', redisCpuMs: undefined, roundTrips: undefined })])
  assert.equal([row?.againstConnectRedis, row?.redisUs, row?.roundTrips], [undefined, undefined, undefined])
})

test('twice the throughput is half the time; a contender that was not run has no verdict', () => {
  const verdicts = (samples: readonly SessionSample[]) => sessionVerdicts(sessionRows(samples)).map(({ measured, met }) => [measured, met])
  assert.equal(verdicts([sample({ requests: 8_000 }), theirs()]), [[0.5, true]])
  assert.equal(verdicts([sample({ requests: 5_000 }), theirs()]), [[0.8, false]])
  assert.equal(verdicts([sample()]), [])
  assert.equal(verdicts([sample({ scenario: 'read', roundTrips: 100 })]), [[0.01, true]])
  assert.equal(verdicts([sample({ scenario: 'read', roundTrips: 101 })]), [[0.0101, false]])
})

test('the run has scenarios of its own', async () => {
  const { mode, seconds, rounds, contenders, scenarios, ...options } = await readOptions(['--sessions', '--only', 'read'])
  assert.equal([mode, seconds, rounds, contenders.length, scenarios.length], ['sessions', 5, 3, 0, 0])
  assert.is(options.sessionContenders, sessionContenders)
  assert.equal(
    options.sessionScenarios.map(({ name }) => name),
    ['read'],
  )
})

interface Data {
  readonly rows: SessionRow[]
  readonly verdicts: Verdict[]
  readonly samples: SessionSample[]
}

function measuredIn(scenario: string, ...args: string[]): Promise<Data> {
  const run = measured((...turns) => start('--sessions', '--no-trial', '--json', '--only', scenario, ...args, ...turns))
  return run.then((one) => dataOf<Data>(one))
}

test('all contenders are measured while they read and write, and every target has its verdict', async () => {
  const { rows, verdicts, samples } = await measuredIn('read-write')
  assert.equal(
    rows.map(({ scenario, contender }) => `${scenario} ${contender}`),
    sessionContenders.map(({ name }) => `read-write ${name}`),
  )
  assertRoundTrips(rows, samples, 'redis, no near cache', 3)
  assertRoundTrips(rows, samples, CONNECT_REDIS, 2)
  assert.equal(
    verdicts.map(({ contender }) => contender),
    ['embedded', 'redis, no near cache', 'redis, near cache'],
  )
})

test('contenders are measured while they only read, and the target has its verdict', async () => {
  const { rows, verdicts, samples } = await measuredIn('read', '--contenders', fixtureFile('readers'))
  assert.equal(
    rows.map(({ scenario, contender }) => `${scenario} ${contender}`),
    readers.map(({ name }) => `read ${name}`),
  )
  assertRoundTrips(rows, samples, CONNECT_REDIS, 2)
  assert.equal(
    verdicts.map(({ contender }) => contender),
    ['redis, near cache'],
  )
})

/** Writes of requests that were under way when time was up are counted, the requests are not. In a very short run that share is visible. */
function assertRoundTrips(rows: readonly SessionRow[], samples: readonly SessionSample[], contender: string, perRequest: number): void {
  const { roundTrips = 0 } = rows.find((row) => row.contender === contender) as SessionRow
  const { requests } = samples.find((one) => one.contender === contender) as SessionSample
  const most = perRequest * (requests + VISITORS)
  // Whole numbers: the quotients may differ in their last bit.
  assert.ok(
    roundTrips >= perRequest && Math.round(roundTrips * requests) <= most,
    `${contender}: ${roundTrips} round trips a request, of ${perRequest} to ${most / requests}`,
  )
}

test('a lost write makes the run invalid', async () => {
  const fault = /bench: forgetful, read-write, autocannon: of \d+ requests \d+ writes are there/
  const run = await measured(
    (...turns) => startWith('forgetful', '--sessions', '--no-trial', '--only', 'read-write', ...turns),
    (one) => fault.test(one.output()),
  )
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), fault)
})

test('a contender without the near cache that it claims is never timed', async () => {
  const run = startWith('asking', '--sessions')
  assert.is((await run.ended).code, 1)
  assert.match(run.output(), 'bench: redis, no near cache asks Redis 50 times when what was just read is read 50 times more')
  assert.not.match(run.output(), '1/2')
})

test.run()
