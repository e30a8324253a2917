// From the samples of `logs` to rows, verdicts and a table. Pure.

import type { LogSample } from './logs.ts'
import { markdown, median, pairedRatio, type Verdict } from './report.ts'
import type { Target } from './scenarios.ts'

const SCENARIO = 'logs'
const PM2 = 'PM2'
const target: Target = { scenario: SCENARIO, contender: 'switchyard', against: PM2, atMost: 0.5 }

export interface LogRow {
  readonly contender: string
  /** Median of the rounds. */
  readonly lineUs: number
  /** The time over that of PM2, by round; the median. NaN without PM2. */
  readonly ratio: number
}

/** In order of appearance in the samples. */
export function logRows(samples: readonly LogSample[]): readonly LogRow[] {
  const by = (contender: string) => samples.filter((sample) => sample.contender === contender)
  const lineUs = ({ cpuMs, lines }: LogSample): number => (cpuMs * 1000) / lines
  const pm2 = by(PM2)
  return [...new Set(samples.map(({ contender }) => contender))].map((contender) => ({
    contender,
    lineUs: median(by(contender).map(lineUs)),
    ratio: pm2.length === 0 ? Number.NaN : pairedRatio(by(contender), pm2, lineUs),
  }))
}

export function logVerdicts(rows: readonly LogRow[]): readonly Verdict[] {
  return rows
    .filter(({ contender, ratio }) => contender === target.contender && !Number.isNaN(ratio))
    .map(({ ratio }) => ({ ...target, load: 'console.log', measured: ratio, met: ratio <= target.atMost }))
}

export function logTable(rows: readonly LogRow[]): string {
  return markdown(
    ['contender', 'CPU of a line µs', `× ${PM2}`],
    rows.map(({ contender, lineUs, ratio }) => [contender, lineUs.toFixed(2), ratio.toFixed(2)]),
  )
}
