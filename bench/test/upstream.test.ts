// The report of `upstream`.

import { assert, suite } from '../../test/suite.ts'
import { upstreamContenders } from '../src/contenders.ts'
import { readOptions } from '../src/options.ts'
import type { UpstreamSample } from '../src/upstream.ts'
import { upstreamRows, upstreamTable, upstreamVerdicts } from '../src/upstream-report.ts'

const test = suite('bench upstream')
const sample = (contender: string, round: number, cpuMs: number, p99Ms: number): UpstreamSample => ({
  ...{ contender, round, cpuMs, requests: 1_000, seconds: 1 },
  ...{ fullP99Ms: p99Ms, evenP99Ms: p99Ms / 2, lateP99Ms: 0 },
})
const samples = [1, 2].flatMap((round) => [
  sample('switchyard', round, 45, 4),
  sample('http-proxy', round, 90, 8),
  sample('nginx', round, 10, 2),
])

test('costs are compared with http-proxy, and latencies with nginx', () => {
  const found = upstreamVerdicts(samples).map(({ scenario, against, measured, met }) => [scenario, against, measured, met])
  assert.equal(found, [
    ['CPU of a request', 'http-proxy', 0.5, true],
    ['p99, full', 'nginx', 2, false],
    ['p99, even', 'nginx', 2, false],
  ])
  assert.match(upstreamTable(upstreamRows(samples)), /\| switchyard +\| +45\.0 \| +0\.50 \| +4\.50 \|/)
})

test('all take part', async () => {
  const { mode, contenders } = await readOptions(['--upstream'])
  assert.equal([mode, contenders], ['upstream', upstreamContenders])
})

test.run()
