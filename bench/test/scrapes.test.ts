// The report of `scrapes`, and one run of the whole.

import { assert, suite } from '../../test/suite.ts'
import { readOptions } from '../src/options.ts'
import type { ScrapesSample } from '../src/scrapes.ts'
import { type ScrapesRow, scrapesRows, scrapesTable, scrapesVerdicts } from '../src/scrapes-report.ts'
import { dataOf, start } from './run.ts'

const test = suite('bench scrapes')

function sample(turn: ScrapesSample['turn'], round: number, p99Ms: number, scrapesMs: number[] = []): ScrapesSample {
  return { turn, round, p50Ms: 1, p99Ms, lateP99Ms: 1, scrapesMs, pageBytes: scrapesMs.length === 0 ? 0 : 2048 }
}

test('the p99 is compared round by round, and scrapes count together', () => {
  const rows = scrapesRows([
    ...[sample('left alone', 1, 10), sample('scraped', 1, 10.5, [8, 9])],
    ...[sample('scraped', 2, 44, [7, 50]), sample('left alone', 2, 40)],
    ...[sample('left alone', 3, 10), sample('scraped', 3, 20, [6])],
  ])
  const { ratio, scrapes, scrapeP50Ms, scrapeP95Ms } = rows[1] as ScrapesRow
  assert.equal([ratio, scrapes, scrapeP50Ms, scrapeP95Ms], [1.1, 5, 8, 50])
  assert.equal(
    scrapesVerdicts(rows).map(({ measured, met }) => [measured, met]),
    [
      [50, false],
      [1.1, true],
    ],
  )
  assert.match(scrapesTable(rows), /\| scraped +\| .* \| +1\.10 \| +5 \| .* \| +2 \|/)
})

test('the number of workers has bounds', async () => {
  assert.is((await readOptions(['--scrapes'])).workers, 64)
  await readOptions(['--scrapes', '--workers', '0']).then(
    () => assert.unreachable(),
    ({ message }: Error) => assert.match(message, '--workers'),
  )
})

test('a run scrapes in every other turn', async () => {
  const { rows } = await dataOf<{ rows: ScrapesRow[] }>(start('--scrapes', '--json', '--workers', '2', '--seconds', '0.5'))
  assert.equal(
    rows.map(({ turn, scrapes }) => [turn, scrapes > 0]),
    [
      ['left alone', false],
      ['scraped', true],
    ],
  )
  assert.ok((rows[1]?.pageBytes ?? 0) > 1000)
})

test.run()
