// The report of `saturated`, the work of its requests, and one short run of a cell.

import { assert, suite } from '../../test/suite.ts'
import { burn } from '../apps/burn.js'
import { saturatedContenders } from '../src/contenders.ts'
import type { Sample } from '../src/entrant.ts'
import { KERNEL } from '../src/queueing-scenarios.ts'
import { type Verdict, verdictTable } from '../src/report.ts'
import { type SaturatedRow, saturatedRows, saturatedTable, saturatedVerdicts } from '../src/saturated-report.ts'
import { saturatedCells, saturatedTargets, scenariosOf } from '../src/saturated-scenarios.ts'
import { dataOf, measured, start } from './run.ts'

const test = suite('bench saturated')
const CELL = 'kept-alive-7ms'

function sample(contender: string, round: number, requests: number): Sample {
  const cpu = { cpuMs: 7600, primaryCpuMs: 0, workerCpuMs: [3800, 3800] }
  return { load: 'wrk', scenario: CELL, contender, round, requests, units: requests, seconds: 4, p99Ms: 700 + round, ...cpu }
}

test('a ratio compares turns of the same round; a least target is met from its bound on', () => {
  const rows = saturatedRows([
    ...[1000, 800, 400].map((requests, round) => sample(KERNEL, round + 1, requests)),
    ...[970, 776, 404].map((requests, round) => sample('switchyard', round + 1, requests)),
    ...[960, 768, 384].map((requests, round) => sample('cluster round robin', round + 1, requests)),
  ])
  assert.equal(
    rows.map(({ contender, againstKernel }) => [contender, againstKernel]),
    [
      [KERNEL, 1],
      ['switchyard', 0.97],
      ['cluster round robin', 0.96],
    ],
  )
  const { requestsPerSecond, requestsPerSecondLowest, requestsPerSecondHighest, cpuShare, p99Ms } = rows[1] as SaturatedRow
  assert.equal([requestsPerSecond, requestsPerSecondLowest, requestsPerSecondHighest, cpuShare, p99Ms], [194, 101, 242.5, 1.9, 702])
  const verdicts = saturatedVerdicts(rows)
  assert.equal(
    verdicts.map(({ scenario, atLeast, met }) => [scenario, atLeast, met]),
    [[CELL, 0.97, true]],
  )
  assert.match(verdictTable(verdicts), /\| target .*\| at least \| measured \|/)
  assert.match(saturatedTable(rows), /\| kept-alive-7ms \| wrk +\| switchyard +\| +194 \| +101–243 \| +0\.970 \| +190 \| +702\.0 \|/)
})

test('a target is missed below its bound, and has no verdict where SCHED_NONE took no part', () => {
  const ours = sample('switchyard', 1, 969)
  const [missed] = saturatedVerdicts(saturatedRows([sample(KERNEL, 1, 1000), ours]))
  assert.is(missed?.met, false)
  assert.equal(saturatedVerdicts(saturatedRows([ours])), [])
  assert.equal(
    saturatedTargets.map(({ scenario }) => scenario),
    saturatedCells.map(({ name }) => name),
  )
})

test('a cell asks for the turns of the loop that fill its time, and for nothing else', () => {
  const scenarios = scenariosOf(saturatedCells, 1000)
  assert.equal(
    scenarios.map(({ name, reconnect, groups }) => [name, reconnect, ...groups]),
    [
      ['new-connections-1.5ms', true, ['/burn?loops=1500']],
      ['kept-alive-1.5ms', false, ['/burn?loops=1500']],
      ['new-connections-7ms', true, ['/burn?loops=7000']],
      ['kept-alive-7ms', false, ['/burn?loops=7000']],
    ],
  )
  assert.ok(burn(1000) > burn(999))
})

test(
  'every contender is measured in the chosen cell',
  async () => {
    const cell = 'new-connections-1.5ms'
    const run = await measured((...turns) => start('--saturated', '--no-trial', '--json', '--only', cell, ...turns))
    const { rows, verdicts, loopsPerMs } = await dataOf<{ rows: SaturatedRow[]; verdicts: Verdict[]; loopsPerMs: number }>(run)
    assert.equal(
      rows.map(({ scenario, contender }) => `${scenario} ${contender}`),
      saturatedContenders.map(({ name }) => `${cell} ${name}`),
    )
    for (const { requestsPerSecond, cpuShare, p99Ms } of rows) assert.ok(requestsPerSecond > 0 && cpuShare > 0 && p99Ms > 0)
    assert.is(verdicts.length, 1)
    assert.ok(loopsPerMs > 0)
  },
  { timeoutMs: 120_000 },
)

test.run()
