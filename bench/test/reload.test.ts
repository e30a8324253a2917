// The report of `reload`, and one run of the whole with a contender that loses nothing and one that does.

import { assert, suite } from '../../test/suite.ts'
import { reloadContenders } from '../src/contenders.ts'
import { readOptions } from '../src/options.ts'
import type { ReloadSample } from '../src/reload.ts'
import { type ReloadRow, reloadRows, reloadTable, reloadVerdicts } from '../src/reload-report.ts'
import type { Verdict } from '../src/report.ts'
import { dataOf, startWith } from './run.ts'

const test = suite('bench reload')

const sample = (changes: Partial<ReloadSample> = {}): ReloadSample => ({
  contender: 'switchyard',
  round: 1,
  answered: 1000,
  failed: {},
  reloadsMs: [2000],
  failedReloads: [],
  ...changes,
})

test('rounds are added up, and the kinds of faults stand in order of their frequency', () => {
  const rows = reloadRows([
    sample(),
    sample({ contender: 'PM2', failed: { ECONNRESET: 2, 'read errors': 10 }, reloadsMs: [1000, 4000] }),
    sample({ round: 2, answered: 500, reloadsMs: [3000] }),
    sample({ contender: 'PM2', round: 2, failed: { ECONNRESET: 1 }, reloadsMs: [3000], failedReloads: ['no'] }),
  ])
  assert.equal(rows, [
    { contender: 'switchyard', requests: 1500, failed: 0, kinds: [], reloads: 2, failedReloads: 0, reloadMs: 2500 },
    {
      contender: 'PM2',
      requests: 2013,
      failed: 13,
      kinds: [
        ['read errors', 10],
        ['ECONNRESET', 3],
      ],
      reloads: 3,
      failedReloads: 1,
      reloadMs: 3000,
    },
  ])
  assert.match(reloadTable(rows), /\| PM2 +\| +2,013 +\| +13 +\| +64\.58 +\| +10 read errors, 3 ECONNRESET +\| +3 +\| +1 +\| +3\.0 +\|/)
})

test('the target is met when nothing failed, and something was reloaded', () => {
  const met = (changes: Partial<ReloadSample>): boolean[] => reloadVerdicts(reloadRows([sample(changes)])).map(({ met }) => met)
  assert.equal(met({}), [true])
  assert.equal(met({ failed: { ECONNRESET: 1 } }), [false])
  assert.equal(met({ reloadsMs: [] }), [false])
  assert.equal(met({ failedReloads: ['no'] }), [false])
  assert.equal(met({ contender: 'PM2' }), [])
})

test('PM2 takes part at an exact version, and half a minute is a turn', async () => {
  const { mode, seconds, rounds, reloadContenders: taking, contenders } = await readOptions(['--reload'])
  assert.equal([mode, seconds, rounds, contenders.length], ['reload', 30, 1, 0])
  assert.is(taking, reloadContenders)
  for (const { fetched } of taking) if (fetched !== undefined) assert.match(fetched.package, /^pm2@\d+\.\d+\.\d+$/)
})

test(
  'a contender that loses requests fails, one that loses none passes',
  async () => {
    const run = startWith('reloaders', '--reload', '--json', '--seconds', '0.5')
    const { rows, verdicts } = await dataOf<{ rows: ReloadRow[]; verdicts: Verdict[] }>(run)
    const [well, careless] = rows as [ReloadRow, ReloadRow]
    assert.equal([well.contender, well.failed, well.failedReloads], ['switchyard', 0, 0])
    assert.ok(well.requests > 10 && well.reloads > 0, run.output())
    assert.is(careless.contender, 'careless')
    assert.ok(careless.failed > 0, run.output())
    assert.equal(
      verdicts.map(({ met }) => met),
      [true],
    )
  },
  { timeoutMs: 60_000 },
)

test.run()
