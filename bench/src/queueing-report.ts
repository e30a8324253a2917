// From the samples of `queueing` to rows, verdicts and a table. Pure.

import { ms } from './mixed-report.ts'
import type { QueueingSample } from './queueing.ts'
import { BEST_OTHER, IDEAL, NAIVE, NAIVE_LEAST, ONE_EACH } from './queueing-scenarios.ts'
import { markdown, median, type Verdict } from './report.ts'
import type { Target } from './scenarios.ts'

/** One contender in one scenario over all seeds. */
export interface QueueingRow {
  readonly scenario: string
  readonly contender: string
  readonly p50Ms: number
  readonly p99Ms: number
  /** p99 over the ideal's on the same trace, by seed; and their median. */
  readonly timesIdealBySeed: readonly number[]
  readonly timesIdeal: number
  /** p99 over that of HAProxy's on the same trace; median of the seeds. */
  readonly timesOneEach: number | undefined
  /** How late the generator was: median of the seeds, and the worst. */
  readonly lateP99Ms: number
  readonly lateP99HighestMs: number
  /** Requests that found no connection free; of all seeds. */
  readonly waited: number
}

/** In order of appearance; the first of each scenario is the ideal itself. */
export function queueingRows(samples: readonly QueueingSample[]): readonly QueueingRow[] {
  return unique(samples.map(({ scenario }) => scenario)).flatMap((scenario) => {
    const here = samples.filter((sample) => sample.scenario === scenario)
    const contenders = unique(here.map(({ contender }) => contender))
    return [idealRow(scenario, here), ...contenders.map((contender) => rowOf(scenario, contender, here))]
  })
}

function rowOf(scenario: string, contender: string, here: readonly QueueingSample[]): QueueingRow {
  const mine = here.filter((sample) => sample.contender === contender)
  return {
    scenario,
    contender,
    p50Ms: median(mine.map(({ all }) => all.p50Ms)),
    p99Ms: median(mine.map(({ all }) => all.p99Ms)),
    timesIdealBySeed: ratiosOf(here, contender, IDEAL),
    timesIdeal: median(ratiosOf(here, contender, IDEAL)),
    timesOneEach: here.some((sample) => sample.contender === ONE_EACH) ? median(ratiosOf(here, contender, ONE_EACH)) : undefined,
    lateP99Ms: median(mine.map(({ lateP99Ms }) => lateP99Ms)),
    lateP99HighestMs: Math.max(...mine.map(({ lateP99Ms }) => lateP99Ms)),
    waited: mine.reduce((sum, { waited }) => sum + waited, 0),
  }
}

function idealRow(scenario: string, here: readonly QueueingSample[]): QueueingRow {
  const ideals = [...new Map(here.map(({ seed, ideal }) => [seed, ideal])).values()]
  const oneEach = ratiosOf(here, ONE_EACH, IDEAL)
  return {
    scenario,
    contender: IDEAL,
    p50Ms: median(ideals.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(ideals.map(({ p99Ms }) => p99Ms)),
    timesIdealBySeed: ideals.map(() => 1),
    timesIdeal: 1,
    timesOneEach: oneEach.length > 0 ? median(oneEach.map((ratio) => 1 / ratio)) : undefined,
    lateP99Ms: 0,
    lateP99HighestMs: 0,
    waited: 0,
  }
}

/** The p99 of one over that of another, by seed. */
function ratiosOf(here: readonly QueueingSample[], contender: string, against: string): readonly number[] {
  return here
    .filter((sample) => sample.contender === contender)
    .sort((one, other) => one.seed - other.seed)
    .flatMap(({ seed, all, ideal }) => {
      const other = against === IDEAL ? ideal : here.find((sample) => sample.contender === against && sample.seed === seed)?.all
      return other === undefined ? [] : [all.p99Ms / other.p99Ms]
    })
}

/** Each target with the median of its seeds; left out where one of the two was not run. */
export function queueingVerdicts(samples: readonly QueueingSample[], targets: readonly Target[]): readonly Verdict[] {
  return targets.flatMap((target) => {
    const here = samples.filter(({ scenario }) => scenario === target.scenario)
    const against = target.against === BEST_OTHER ? bestOther(here) : target.against
    const measured = against === undefined ? Number.NaN : median(ratiosOf(here, target.contender, against))
    if (against === undefined || Number.isNaN(measured)) return []
    return [{ ...target, against, load: 'open loop', measured, met: measured <= target.atMost }]
  })
}

/** Who has the least p99 among those that are not ours. */
function bestOther(here: readonly QueueingSample[]): string | undefined {
  const p99Of = (name: string): number => median(here.filter(({ contender }) => contender === name).map(({ all }) => all.p99Ms))
  const others = unique(here.map(({ contender }) => contender)).filter((name) => !name.startsWith('switchyard'))
  return others.sort((one, other) => p99Of(one) - p99Of(other))[0]
}

/** What keeps the run from saying anything. */
export function invalidity(rows: readonly QueueingRow[]): string | undefined {
  const naive = rows.find(({ scenario, contender }) => scenario === 'new-connections' && contender === NAIVE)
  if (naive === undefined || naive.timesIdeal > NAIVE_LEAST) return undefined
  return `INVALID: ${NAIVE} has ${naive.timesIdeal.toFixed(2)} × the ideal where more than ${NAIVE_LEAST} × is due: the requests did not queue as they should`
}

/** What should be known of a run that is valid. `lateMs`: how late the generator may be. */
export function queueingNotes(rows: readonly QueueingRow[], lateMs: number): readonly string[] {
  const notes = rows.flatMap(({ scenario, contender, waited, lateP99HighestMs }) => {
    const who = `${scenario}, ${contender}`
    return [
      ...(lateP99HighestMs > lateMs
        ? [`${who}: requests left up to ${ms(lateP99HighestMs)} ms late, so the machine was measured too`]
        : []),
      ...(waited > 0 ? [`${who}: ${waited} requests found no connection free and waited in the client`] : []),
    ]
  })
  const tried = rows.some(({ scenario, contender }) => scenario === 'new-connections' && contender === NAIVE)
  return tried ? notes : [...notes, `Not proven to queue: ${NAIVE} on new connections took no part.`]
}

export function queueingTable(rows: readonly QueueingRow[]): string {
  return markdown(
    ['scenario', 'contender', 'p50 ms', 'p99 ms', '× ideal', 'by seed', '× maxconn 1', 'asked late ms'],
    rows.map((row) => [
      row.scenario,
      row.contender,
      ms(row.p50Ms),
      ms(row.p99Ms),
      row.timesIdeal.toFixed(2),
      row.contender === IDEAL ? '' : row.timesIdealBySeed.map((ratio) => ratio.toFixed(2)).join(' – '),
      row.timesOneEach?.toFixed(2) ?? '',
      row.contender === IDEAL ? '' : ms(row.lateP99Ms),
    ]),
  )
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
