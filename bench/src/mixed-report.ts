// From the samples of `mixed` to rows, its verdict and its table. Pure.

import { mixedContenders } from './contenders.ts'
import type { MixedSample } from './mixed.ts'
import { formatMs, markdown, median, type Verdict } from './report.ts'
import type { Target } from './scenarios.ts'

const BASELINE = 'switchyard, no heavy'
export const mixedTarget: Target = { scenario: 'mixed, light p99', contender: 'switchyard', against: BASELINE, atMost: 1.5 }

/** One contender over all seeds, with the medians of the seeds. */
export interface MixedRow {
  readonly contender: string
  readonly seeds: number
  readonly lightP50Ms: number
  readonly lightP99Ms: number
  readonly lightP99LowestMs: number
  readonly lightP99HighestMs: number
  /** `lightP99Ms` over that of the baseline. */
  readonly againstBaseline: number | undefined
  /** How late the generator was, at the 99th percentile: a latency below that says little. */
  readonly lateP99Ms: number
  /** Undefined: the trace had no heavy requests. */
  readonly heavyP50Ms: number | undefined
  readonly heavyP99Ms: number | undefined
}

/** One row for each contender, in order of `mixedContenders`. */
export function mixedRows(samples: readonly MixedSample[]): readonly MixedRow[] {
  const of = (name: string): readonly MixedSample[] => samples.filter(({ contender }) => contender === name)
  const p99 = (all: readonly MixedSample[]): number => median(all.map(({ light }) => light.p99Ms))
  const against = of(BASELINE)
  return mixedContenders.flatMap(({ name, withoutHeavy }) => {
    const mine = of(name)
    if (mine.length === 0) return []
    const p99s = mine.map(({ light }) => light.p99Ms)
    const row: MixedRow = {
      contender: name,
      seeds: mine.length,
      lightP50Ms: median(mine.map(({ light }) => light.p50Ms)),
      lightP99Ms: p99(mine),
      lightP99LowestMs: Math.min(...p99s),
      lightP99HighestMs: Math.max(...p99s),
      lateP99Ms: median(mine.map(({ lateP99Ms }) => lateP99Ms)),
      againstBaseline: against.length > 0 ? p99(mine) / p99(against) : undefined,
      heavyP50Ms: withoutHeavy === true ? undefined : median(mine.map(({ heavy }) => heavy.p50Ms)),
      heavyP99Ms: withoutHeavy === true ? undefined : median(mine.map(({ heavy }) => heavy.p99Ms)),
    }
    return [row]
  })
}

export function mixedVerdicts(rows: readonly MixedRow[]): readonly Verdict[] {
  const measured = rows.find(({ contender }) => contender === mixedTarget.contender)?.againstBaseline
  return measured === undefined ? [] : [{ ...mixedTarget, load: 'open loop', measured, met: measured <= mixedTarget.atMost }]
}

export function mixedTable(rows: readonly MixedRow[]): string {
  return markdown(
    ['contender', 'light p50 ms', 'light p99 ms', 'lowest–highest', '× no heavy', 'heavy p50 ms', 'heavy p99 ms', 'asked late ms'],
    rows.map((row) => [
      row.contender,
      formatMs(row.lightP50Ms),
      formatMs(row.lightP99Ms),
      `${formatMs(row.lightP99LowestMs)}–${formatMs(row.lightP99HighestMs)}`,
      row.againstBaseline?.toFixed(2) ?? '',
      row.heavyP50Ms === undefined ? '' : formatMs(row.heavyP50Ms),
      row.heavyP99Ms === undefined ? '' : formatMs(row.heavyP99Ms),
      formatMs(row.lateP99Ms),
    ]),
  )
}
