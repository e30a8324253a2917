// From the samples of `pinned` to rows, verdicts and a table. Pure.

import { type PinnedSample, pinnedParts } from './pinned.ts'
import { formatMs, markdown, median, type Verdict } from './report.ts'
import type { AbsoluteTarget } from './scenarios.ts'

export const pinnedTargets: readonly AbsoluteTarget[] = pinnedParts.map((part) => ({
  scenario: part,
  contender: 'switchyard',
  unit: 'slowest ms',
  atMost: 30,
}))

/** One contender in one part over all rounds. */
export interface PinnedRow {
  readonly part: string
  readonly contender: string
  readonly p50Ms: number
  /** By round, and the worst of all: the promise is that not a single request waits, so nothing is averaged. */
  readonly slowestByRoundMs: readonly number[]
  readonly slowestMs: number
}

/** In order of appearance in the samples. */
export function pinnedRows(samples: readonly PinnedSample[]): readonly PinnedRow[] {
  return pinnedParts.flatMap((part) => {
    const here = samples.filter((sample) => sample.part === part)
    return [...new Set(here.map(({ contender }) => contender))].map((contender) => {
      const mine = here.filter((sample) => sample.contender === contender)
      const slowest = mine.map(({ slowestMs }) => slowestMs)
      const p50Ms = median(mine.map((sample) => sample.p50Ms))
      return { part, contender, p50Ms, slowestByRoundMs: slowest, slowestMs: Math.max(...slowest) }
    })
  })
}

export function pinnedVerdicts(rows: readonly PinnedRow[]): readonly Verdict[] {
  return pinnedTargets.flatMap((target) =>
    rows
      .filter(({ part, contender }) => part === target.scenario && contender === target.contender)
      .map(({ part, slowestMs: measured }) => ({
        ...target,
        load: part === 'pinned' ? 'ab' : 'open loop',
        measured,
        met: measured < target.atMost,
      })),
  )
}

export function pinnedTable(rows: readonly PinnedRow[]): string {
  return markdown(
    ['part', 'contender', 'light p50 ms', 'slowest ms', 'by round'],
    rows.map(({ part, contender, p50Ms, slowestMs, slowestByRoundMs }) => [
      part,
      contender,
      formatMs(p50Ms),
      formatMs(slowestMs),
      slowestByRoundMs.map(formatMs).join(' – '),
    ]),
  )
}
