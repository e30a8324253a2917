// From the samples of `scrapes` to rows, verdicts and a table. Pure.

import { quantile } from './quantile.ts'
import { formatMs, markdown, median, pairedRatio, type Verdict } from './report.ts'
import type { AbsoluteTarget, Target } from './scenarios.ts'
import { type ScrapesSample, scrapedTurns } from './scrapes.ts'

const SCENARIO = 'scrapes'
const [ALONE, SCRAPED] = scrapedTurns
/** More than the p99 of two equal turns differs. */
const ratioTarget: Target = { scenario: SCENARIO, contender: SCRAPED, against: ALONE, atMost: 1.1 }
const timeTarget: AbsoluteTarget = { scenario: SCENARIO, contender: SCRAPED, unit: 'p95 of a scrape, ms', atMost: 50 }

export interface ScrapesRow {
  readonly turn: string
  /** Of the requests; medians of the rounds. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** The p99 over that of the turn without scrapes, by round; the median. */
  readonly ratio: number
  /** All rounds together. */
  readonly scrapes: number
  readonly scrapeP50Ms: number
  readonly scrapeP95Ms: number
  readonly pageBytes: number
}

/** In order of appearance in the samples. */
export function scrapesRows(samples: readonly ScrapesSample[]): readonly ScrapesRow[] {
  const by = (turn: string) => samples.filter((sample) => sample.turn === turn)
  return [...new Set(samples.map(({ turn }) => turn))].map((turn) => {
    const mine = by(turn)
    const scrapesMs = mine.flatMap((sample) => sample.scrapesMs)
    return {
      turn,
      p50Ms: median(mine.map(({ p50Ms }) => p50Ms)),
      p99Ms: median(mine.map(({ p99Ms }) => p99Ms)),
      ratio: pairedRatio(mine, by(ALONE), ({ p99Ms }) => p99Ms),
      scrapes: scrapesMs.length,
      scrapeP50Ms: quantile(scrapesMs, 0.5),
      scrapeP95Ms: quantile(scrapesMs, 0.95),
      pageBytes: Math.max(...mine.map(({ pageBytes }) => pageBytes)),
    }
  })
}

export function scrapesVerdicts(rows: readonly ScrapesRow[]): readonly Verdict[] {
  return rows
    .filter(({ turn }) => turn === SCRAPED)
    .flatMap(({ ratio, scrapeP95Ms }) => [
      { ...timeTarget, load: 'scraper', measured: scrapeP95Ms, met: scrapeP95Ms < timeTarget.atMost },
      { ...ratioTarget, load: 'open loop, p99', measured: ratio, met: ratio <= ratioTarget.atMost },
    ])
}

export function scrapesTable(rows: readonly ScrapesRow[]): string {
  return markdown(
    ['turn', 'p50 ms', 'p99 ms', `p99 × ${ALONE}`, 'scrapes', 'scrape p50 ms', 'scrape p95 ms', 'page KB'],
    rows.map(({ turn, p50Ms, p99Ms, ratio, scrapes, scrapeP50Ms, scrapeP95Ms, pageBytes }) => [
      turn,
      formatMs(p50Ms),
      formatMs(p99Ms),
      ratio.toFixed(2),
      `${scrapes}`,
      ...(scrapes === 0 ? ['', '', ''] : [formatMs(scrapeP50Ms), formatMs(scrapeP95Ms), (pageBytes / 1024).toFixed(0)]),
    ]),
  )
}
