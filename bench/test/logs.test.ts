// The report of `logs`.

import { assert, suite } from '../../test/suite.ts'
import { logContenders } from '../src/contenders.ts'
import { logRows, logTable, logVerdicts } from '../src/logs-report.ts'
import { readOptions } from '../src/options.ts'

const test = suite('bench logs')
const sample = (contender: string, round: number, cpuMs: number) => ({ contender, round, lines: 1_000, cpuMs })

test('the cost of a line is compared round by round', () => {
  const rows = logRows([sample('switchyard', 1, 5), sample('PM2', 1, 20), sample('switchyard', 2, 7), sample('PM2', 2, 28)])
  assert.equal(rows, [
    { contender: 'switchyard', lineUs: 6, ratio: 0.25 },
    { contender: 'PM2', lineUs: 24, ratio: 1 },
  ])
  assert.equal(
    logVerdicts(rows).map(({ measured, met }) => [measured, met]),
    [[0.25, true]],
  )
  assert.match(logTable(rows), /\| switchyard +\| +6\.00 +\| +0\.25 +\|/)
})

test('without PM2 there is no verdict', () => assert.equal(logVerdicts(logRows([sample('switchyard', 1, 5)])), []))

test('both take part', async () => {
  const { mode, rounds, logContenders: taking, contenders } = await readOptions(['--logs'])
  assert.equal([mode, rounds, contenders.length], ['logs', 3, 0])
  assert.is(taking, logContenders)
})

test.run()
