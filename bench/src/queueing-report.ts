// From the samples of `queueing` to rows, verdicts and a table. Pure.

import type { Ideal, QueueingSample } from './queueing.ts'
import { BEST_OTHER, IDEAL, NAIVE, NAIVE_LEAST, NODE_IDEAL, ONE_EACH } from './queueing-scenarios.ts'
import { formatMs, markdown, median, type Verdict } from './report.ts'
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
  /** The same over the ideal whose workers are servers of Node. */
  readonly timesNodeIdeal: number | undefined
  /** p99 over that of HAProxy's on the same trace; median of the seeds. */
  readonly timesOneEach: number | undefined
  /** CPU time of all server processes, per request; median of the seeds. */
  readonly cpuMs: number
  /** How late the generator was: median of the seeds, and the worst. */
  readonly lateP99Ms: number
  readonly lateP99HighestMs: number
  /** Requests that found no free connection; of all seeds. */
  readonly waited: number
}

/** In order of appearance; the ideals come first in each scenario. */
export function queueingRows(samples: readonly QueueingSample[]): readonly QueueingRow[] {
  return unique(samples.map(({ scenario }) => scenario)).flatMap((scenario) => {
    const here = samples.filter((sample) => sample.scenario === scenario)
    const contenders = unique(here.map(({ contender }) => contender))
    return [...idealRows(scenario, here), ...contenders.map((contender) => rowOf(scenario, contender, here))]
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
    timesNodeIdeal: medianOfAny(ratiosOf(here, contender, NODE_IDEAL)),
    timesOneEach: medianOfAny(ratiosOf(here, contender, ONE_EACH)),
    cpuMs: median(mine.map(({ cpuMs }) => cpuMs)),
    lateP99Ms: median(mine.map(({ lateP99Ms }) => lateP99Ms)),
    lateP99HighestMs: Math.max(...mine.map(({ lateP99Ms }) => lateP99Ms)),
    waited: mine.reduce((sum, { waited }) => sum + waited, 0),
  }
}

function idealRows(scenario: string, here: readonly QueueingSample[]): readonly QueueingRow[] {
  const samples = [...new Map(here.map((sample) => [sample.seed, sample])).values()]
  const ideals = new Map([
    [IDEAL, samples.map(({ ideal }) => ideal)],
    [NODE_IDEAL, samples.flatMap(({ nodeIdeal }) => nodeIdeal ?? [])],
  ])
  return [...ideals].flatMap(([name, its]) => (its.length === samples.length ? [idealRow(scenario, name, its, here)] : []))
}

function idealRow(scenario: string, name: string, ideals: readonly Ideal[], here: readonly QueueingSample[]): QueueingRow {
  const over = (against: string) => medianOfAny(ratiosOf(here, name, against))
  return {
    scenario,
    contender: name,
    p50Ms: median(ideals.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(ideals.map(({ p99Ms }) => p99Ms)),
    timesIdealBySeed: ratiosOf(here, name, IDEAL),
    timesIdeal: over(IDEAL) as number,
    timesNodeIdeal: over(NODE_IDEAL),
    timesOneEach: over(ONE_EACH),
    cpuMs: 0,
    lateP99Ms: 0,
    lateP99HighestMs: 0,
    waited: 0,
  }
}

/** The p99 of one over that of another, by seed; both may be an ideal. Empty when one of them was not run. */
function ratiosOf(here: readonly QueueingSample[], one: string, other: string): readonly number[] {
  const seeds = [...new Set(here.map(({ seed }) => seed))].sort((some, more) => some - more)
  return seeds.flatMap((seed) => {
    const [over, under] = [p99Of(here, one, seed), p99Of(here, other, seed)]
    return over === undefined || under === undefined ? [] : [over / under]
  })
}

function p99Of(here: readonly QueueingSample[], name: string, seed: number): number | undefined {
  const ofSeed = here.filter((sample) => sample.seed === seed)
  if (name === IDEAL) return ofSeed[0]?.ideal.p99Ms
  if (name === NODE_IDEAL) return ofSeed[0]?.nodeIdeal?.p99Ms
  return ofSeed.find(({ contender }) => contender === name)?.all.p99Ms
}

function medianOfAny(ratios: readonly number[]): number | undefined {
  return ratios.length > 0 ? median(ratios) : undefined
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

/** The contender with the lowest p99 that is not ours. */
function bestOther(here: readonly QueueingSample[]): string | undefined {
  const medianOf = (name: string): number => median(here.filter(({ contender }) => contender === name).map(({ all }) => all.p99Ms))
  const others = unique(here.map(({ contender }) => contender)).filter((name) => !name.startsWith('switchyard'))
  return others.sort((one, other) => medianOf(one) - medianOf(other))[0]
}

/** Faults that make the run invalid. */
export function invalidity(rows: readonly QueueingRow[]): string | undefined {
  const naive = rows.find(({ scenario, contender }) => scenario === 'new-connections' && contender === NAIVE)
  if (naive === undefined || naive.timesIdeal > NAIVE_LEAST) return undefined
  return `INVALID: ${NAIVE} has ${naive.timesIdeal.toFixed(2)} × the ideal where more than ${NAIVE_LEAST} × is due: the requests did not queue as they should`
}

/** Remarks about a valid run. `lateMs`: how late the generator may be. */
export function queueingNotes(rows: readonly QueueingRow[], lateMs: number): readonly string[] {
  const notes = rows.flatMap(({ scenario, contender, waited, lateP99HighestMs }) => {
    const where = `${scenario}, ${contender}`
    return [
      ...(lateP99HighestMs > lateMs
        ? [`${where}: requests left up to ${formatMs(lateP99HighestMs)} ms late, so the machine was measured too`]
        : []),
      ...(waited > 0 ? [`${where}: ${waited} requests found no connection free and waited in the client`] : []),
    ]
  })
  const tried = rows.some(({ scenario, contender }) => scenario === 'new-connections' && contender === NAIVE)
  return tried ? notes : [...notes, `Not proven to queue: ${NAIVE} on new connections took no part.`]
}

export function queueingTable(rows: readonly QueueingRow[]): string {
  return markdown(
    ['scenario', 'contender', 'p50 ms', 'p99 ms', '× ideal', 'by seed', '× ideal of Node', '× maxconn 1', 'CPU ms', 'asked late ms'],
    rows.map((row) => [
      row.scenario,
      row.contender,
      formatMs(row.p50Ms),
      formatMs(row.p99Ms),
      row.timesIdeal.toFixed(2),
      row.contender === IDEAL ? '' : row.timesIdealBySeed.map((ratio) => ratio.toFixed(2)).join(' – '),
      row.timesNodeIdeal?.toFixed(2) ?? '',
      row.timesOneEach?.toFixed(2) ?? '',
      isIdeal(row) ? '' : formatMs(row.cpuMs),
      isIdeal(row) ? '' : formatMs(row.lateP99Ms),
    ]),
  )
}

function isIdeal({ contender }: QueueingRow): boolean {
  return contender === IDEAL || contender === NODE_IDEAL
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}
