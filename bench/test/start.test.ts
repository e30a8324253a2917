// The report of `start`, and one run of the whole.

import { assert, suite } from '../../test/suite.ts'
import { CLUSTER } from '../src/contenders.ts'
import type { StartSample } from '../src/start.ts'
import { type StartRow, startRows, startTable, startVerdicts } from '../src/start-report.ts'
import { dataOf, start } from './run.ts'

const test = suite('bench start')

const sample = (contender: string, round: number, firstAnswerMs: number, primaryMb: number): StartSample => ({
  ...{ contender, round, firstAnswerMs, primaryMb },
})

test('the ratio is that of the rounds, and both targets have a verdict', () => {
  const rows = startRows([
    ...[sample(CLUSTER, 1, 100, 18), sample('switchyard', 1, 190, 29)],
    ...[sample(CLUSTER, 2, 400, 20), sample('switchyard', 2, 760, 31)],
    ...[sample(CLUSTER, 3, 100, 19), sample('switchyard', 3, 250, 33)],
  ])
  assert.equal(rows[1], { contender: 'switchyard', firstAnswerMs: 250, primaryMb: 31, ratio: 1.9 })
  assert.equal(
    startVerdicts(rows).map(({ met }) => met),
    [true, false],
  )
  assert.match(startTable(rows), /\| switchyard +\| +250 \| +1\.90 \| +31\.0 \|/)
})

test('a run starts every contender and names both figures', async () => {
  const { rows } = await dataOf<{ rows: StartRow[] }>(start('--start', '--json'))
  assert.equal(
    rows.map(({ contender }) => contender),
    [CLUSTER, 'switchyard'],
  )
  for (const { firstAnswerMs, primaryMb, ratio } of rows) assert.ok(firstAnswerMs > 10 && primaryMb > 5 && ratio > 0)
})

test.run()
