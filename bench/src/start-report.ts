// From the samples of `start` to rows, verdicts and a table. Pure.

import { CLUSTER } from './contenders.ts'
import { markdown, median, pairedRatio, type Verdict } from './report.ts'
import type { AbsoluteTarget, Target } from './scenarios.ts'
import type { StartSample } from './start.ts'

const SCENARIO = 'start'
const ratioTarget: Target = { scenario: SCENARIO, contender: 'switchyard', against: CLUSTER, atMost: 2 }
const memoryTarget: AbsoluteTarget = { scenario: SCENARIO, contender: 'switchyard', unit: 'MB of the primary', atMost: 30 }

export interface StartRow {
  readonly contender: string
  /** Medians of the rounds. */
  readonly firstAnswerMs: number
  readonly primaryMb: number
  /** The time over that of the bare cluster, by round; the median. */
  readonly ratio: number
}

/** In order of appearance in the samples. */
export function startRows(samples: readonly StartSample[]): readonly StartRow[] {
  const by = (contender: string) => samples.filter((sample) => sample.contender === contender)
  return [...new Set(samples.map(({ contender }) => contender))].map((contender) => ({
    contender,
    firstAnswerMs: median(by(contender).map(({ firstAnswerMs }) => firstAnswerMs)),
    primaryMb: median(by(contender).map(({ primaryMb }) => primaryMb)),
    ratio: pairedRatio(by(contender), by(CLUSTER), ({ firstAnswerMs }) => firstAnswerMs),
  }))
}

export function startVerdicts(rows: readonly StartRow[]): readonly Verdict[] {
  return rows
    .filter(({ contender }) => contender === ratioTarget.contender)
    .flatMap(({ ratio, primaryMb }) => [
      { ...ratioTarget, load: 'prober', measured: ratio, met: ratio <= ratioTarget.atMost },
      { ...memoryTarget, load: 'prober', measured: primaryMb, met: primaryMb <= memoryTarget.atMost },
    ])
}

export function startTable(rows: readonly StartRow[]): string {
  return markdown(
    ['contender', 'first answer ms', `× ${CLUSTER}`, 'primary MB'],
    rows.map(({ contender, firstAnswerMs, ratio, primaryMb }) => [
      contender,
      firstAnswerMs.toFixed(0),
      ratio.toFixed(2),
      primaryMb.toFixed(1),
    ]),
  )
}
