// The report of `tls`.

import { assert, suite } from '../../test/suite.ts'
import { tlsContenders } from '../src/contenders.ts'
import { readOptions } from '../src/options.ts'
import type { TlsSample, TlsScenario } from '../src/tls.ts'
import { tlsRows, tlsTable, tlsVerdicts } from '../src/tls-report.ts'

const test = suite('bench tls')
const sample = (scenario: TlsScenario, contender: string, round: number, cpuMs: number, resumedShare = 0): TlsSample => ({
  ...{ scenario, contender, round, cpuMs, resumedShare },
  units: 1_000,
})
const samples = [1, 2].flatMap((round) => [
  sample('kept-alive request', 'https, SCHED_NONE', round, 20),
  sample('kept-alive request', 'switchyard', round, 21),
  sample('kept-alive request', 'nginx', round, 30),
  sample('full handshake', 'https, SCHED_NONE', round, 1_000),
  sample('full handshake', 'switchyard', round, 1_000),
  sample('resumed handshake', 'switchyard', round, 500, 0.99),
])

test('costs are compared round by round, and a resumed handshake with a full one', () => {
  const found = tlsVerdicts(samples).map(({ scenario, against, measured, met }) => [scenario, against, measured, met])
  assert.equal(found, [
    ['kept-alive request', 'https, SCHED_NONE', 1.05, true],
    ['kept-alive request', 'nginx', 0.7, false],
    ['full handshake', 'https, SCHED_NONE', 1, true],
    ['resumed handshake', 'a full one', 0.5, true],
  ])
  assert.match(tlsTable(tlsRows(samples)), /\| resumed handshake +\| switchyard +\| +500\.0 +\|[^%]*99 % +\|/)
})

test('all take part', async () => {
  const { mode, contenders } = await readOptions(['--tls'])
  assert.equal([mode, contenders], ['tls', tlsContenders])
})

test.run()
