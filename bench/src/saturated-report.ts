// From the samples of `saturated` to rows, verdicts and a table. Pure.

import type { Sample } from './entrant.ts'
import { KERNEL } from './queueing-scenarios.ts'
import { formatMs, markdown, median, pairedRatio, type Verdict } from './report.ts'
import { saturatedTargets } from './saturated-scenarios.ts'

/** One contender in one scenario; medians of the rounds. */
export interface SaturatedRow {
  readonly load: string
  readonly scenario: string
  readonly contender: string
  readonly rounds: number
  readonly requestsPerSecond: number
  readonly requestsPerSecondLowest: number
  readonly requestsPerSecondHighest: number
  /** `requestsPerSecond` over that of `SCHED_NONE`, see `pairedRatio`; undefined: that took no part. */
  readonly againstKernel: number | undefined
  /** Of all server processes together, in cores: 2 is two fully busy cores. */
  readonly cpuShare: number
  /** Latency at the 99th percentile: with this many clients most of it is waiting. */
  readonly p99Ms: number
}

/** In order of appearance in the samples of the first round. */
export function saturatedRows(samples: readonly Sample[]): readonly SaturatedRow[] {
  const keys = new Set(samples.map(({ load, scenario }) => `${load}\n${scenario}`))
  return [...keys].flatMap((key) => {
    const here = samples.filter(({ load, scenario }) => `${load}\n${scenario}` === key)
    const reference = here.filter(({ contender }) => contender === KERNEL)
    return [...new Set(here.map(({ contender }) => contender))].map((contender) => {
      const mine = here.filter((sample) => sample.contender === contender)
      const [{ load, scenario }] = mine as [Sample, ...Sample[]]
      const speeds = mine.map(perSecond)
      return {
        ...{ load, scenario, contender, rounds: mine.length, requestsPerSecond: median(speeds) },
        requestsPerSecondLowest: Math.min(...speeds),
        requestsPerSecondHighest: Math.max(...speeds),
        againstKernel: reference.length === 0 ? undefined : pairedRatio(mine, reference, perSecond),
        cpuShare: median(mine.map(cpuShare)),
        p99Ms: median(mine.map(({ p99Ms }) => p99Ms)),
      }
    })
  })
}

/** Scenarios that were not run have none. */
export function saturatedVerdicts(rows: readonly SaturatedRow[]): readonly Verdict[] {
  return rows.flatMap(({ load, scenario, contender, againstKernel: measured }) =>
    saturatedTargets
      .filter((target) => target.scenario === scenario && target.contender === contender)
      .flatMap((target) => (measured === undefined ? [] : [{ ...target, load, measured, met: measured >= target.atLeast }])),
  )
}

export function saturatedTable(rows: readonly SaturatedRow[]): string {
  const count = (value: number): string => Math.round(value).toLocaleString('en')
  return markdown(
    ['scenario', 'load', 'contender', 'requests/s', 'lowest–highest', `× ${KERNEL}`, 'CPU %', 'p99 ms'],
    rows.map((row) => [
      row.scenario,
      row.load,
      row.contender,
      count(row.requestsPerSecond),
      `${count(row.requestsPerSecondLowest)}–${count(row.requestsPerSecondHighest)}`,
      row.againstKernel?.toFixed(3) ?? '',
      count(row.cpuShare * 100),
      formatMs(row.p99Ms),
    ]),
  )
}

export function perSecond({ requests, seconds }: Sample): number {
  return requests / seconds
}

/** Share of a core. */
export function cpuShare({ cpuMs, seconds }: Sample): number {
  return cpuMs / 1000 / seconds
}
