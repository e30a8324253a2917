// The report of `http2`.

import { assert, suite } from '../../test/suite.ts'
import { http2Contenders, OWN_HTTP2 } from '../src/contenders.ts'
import type { Http2Sample, Http2Scenario } from '../src/http2.ts'
import { http2Rows, http2Table, http2Verdicts } from '../src/http2-report.ts'
import { readOptions } from '../src/options.ts'

const test = suite('bench http2')
const sample = (scenario: Http2Scenario, contender: string, round: number, cpuMs: number): Http2Sample => ({
  ...{ scenario, contender, round, cpuMs, units: 1_000 },
})
const samples = [1, 2].flatMap((round) => [
  sample('one connection', OWN_HTTP2, round, 20),
  sample('one connection', 'switchyard', round, 25),
  sample('one connection', 'nginx', round, 40),
  sample('64 connections', 'switchyard', round, 45),
  sample('64 connections', 'nginx', round, 30),
])

test('costs are compared round by round with references that took part', () => {
  const found = http2Verdicts(samples).map(({ scenario, against, measured, met }) => [scenario, against, measured, met])
  assert.equal(found, [
    ['one connection', OWN_HTTP2, 1.25, true],
    ['one connection', 'nginx', 0.625, true],
    ['64 connections', 'nginx', 1.5, false],
  ])
  assert.match(http2Table(http2Rows(samples)), /\| one connection +\| switchyard +\| +25\.0 +\| +1\.25 +\| +0\.63 +\|/)
})

test('all take part', async () => {
  const { mode, contenders } = await readOptions(['--http2'])
  assert.equal([mode, contenders], ['http2', http2Contenders])
})

test.run()
