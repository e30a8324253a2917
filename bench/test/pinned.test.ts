// The output of ab, the report of `pinned`, and one run of the whole.

import { isInstalled } from '../../scripts/system.mjs'
import { assert, suite } from '../../test/suite.ts'
import { abReportOf } from '../src/ab.ts'
import { pinnedContenders } from '../src/contenders.ts'
import { type PinnedSample, pinnedParts } from '../src/pinned.ts'
import { type PinnedRow, pinnedRows, pinnedTable, pinnedVerdicts } from '../src/pinned-report.ts'
import { type Verdict, verdictTable } from '../src/report.ts'
import { dataOf, start } from './run.ts'

const test = suite('bench pinned')

const output = `Complete requests:      80
Failed requests:        0
Total transferred:      12345 bytes
Percentage of the requests served within a certain time (ms)
  50%      2
  66%      3
 100%   2989 (longest request)
`

test('the output of ab is read only if all requests were answered with 2xx', () => {
  assert.equal(abReportOf(output, 80), { p50Ms: 2, slowestMs: 2989 })
  assert.throws(() => abReportOf(output, 81), /^ab:/)
  assert.throws(() => abReportOf(output.replace('requests:        0', 'requests:        1'), 80), /^ab:/)
  assert.throws(() => abReportOf(`Non-2xx responses:      3\n${output}`, 80), /^ab:/)
  assert.throws(() => abReportOf('apr_socket_connect(): Connection refused (111)', 80), /^ab:/)
})

function sample(part: PinnedSample['part'], seed: number, slowestMs: number): PinnedSample {
  return { part, contender: 'switchyard', seed, p50Ms: 2, slowestMs }
}

test('the worst of all rounds counts, and a target is missed at its bound', () => {
  const rows = pinnedRows([
    ...[3, 30, 4].map((slowestMs, seed) => sample('pinned', seed, slowestMs)),
    ...[3, 29.9, 4].map((slowestMs, seed) => sample('after-io', seed, slowestMs)),
  ])
  assert.equal(
    rows.map(({ part, slowestMs, slowestByRoundMs }) => [part, slowestMs, slowestByRoundMs.length]),
    [
      ['pinned', 30, 3],
      ['after-io', 29.9, 3],
    ],
  )
  const verdicts = pinnedVerdicts(rows)
  assert.equal(
    verdicts.map(({ met }) => met),
    [false, true],
  )
  assert.match(verdictTable(verdicts), /\| pinned: switchyard, slowest ms +\| ab +\| +30\.00 \| +30\.00 \| MISSED \|/)
  assert.is(pinnedTable(rows).split('\n').length, 4)
})

test(
  'every contender is measured in both parts, and round robin puts light requests behind a blocked worker',
  async () => {
    const parts = pinnedParts.filter((part) => part !== 'pinned' || isInstalled('ab'))
    const run = start('--pinned', '--json', '--seconds', '1', '--pin', '1000')
    const { rows, verdicts } = await dataOf<{ rows: PinnedRow[]; verdicts: Verdict[] }>(run)
    if (parts.length === 1) assert.match(run.output(), "ab is not installed: 'pinned' is left out")
    const names = pinnedContenders.map(({ name }) => name)
    assert.equal(
      rows.map(({ part, contender }) => `${part} ${contender}`),
      parts.flatMap((part) => names.map((name) => `${part} ${name}`)),
    )
    // The primary sends a worker one more before it waits for an answer: without that, nothing was blocked.
    for (const { part, contender, slowestMs } of rows)
      if (contender === 'cluster round robin') assert.ok(slowestMs > 100, `${part}: ${slowestMs} ms`)
    assert.is(verdicts.length, parts.length)
  },
  { timeoutMs: 120_000 },
)

test.run()
