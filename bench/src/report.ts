// From samples to rows, verdicts and tables. Pure.

import type { Sample } from './entrant.ts'
import type { Ratio, Target } from './scenarios.ts'

/** The rounds of one contender in one scenario. Costs are CPU microseconds per unit of the scenario. */
export interface Row {
  readonly load: string
  readonly scenario: string
  readonly contender: string
  readonly rounds: number
  /** Median of the rounds. */
  readonly cpuUs: number
  readonly cpuUsLowest: number
  readonly cpuUsHighest: number
  /** The primary's part; median of the rounds. */
  readonly primaryUs: number
  readonly requestsPerSecond: number
  /** The cost over that of each reference that took part, by its name: see `pairedRatio`. */
  readonly against: Readonly<Record<string, number>>
}

/** The measurement of a target: a ratio, or without `against` an amount of the unit. It has one of the bounds. */
export interface Verdict extends Omit<Ratio, 'against'> {
  readonly against?: string
  readonly atMost?: number
  readonly atLeast?: number
  readonly unit?: string
  readonly load: string
  readonly measured: number
  readonly met: boolean
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/**
 * The ratio of two contenders: the median of its values in the rounds of both. A machine that grows slower during a run slows
 * all of a round, and so moves the medians of both, but hardly this ratio.
 */
export function pairedRatio<T extends { readonly round: number }>(
  ones: readonly T[],
  others: readonly T[],
  of: (sample: T) => number,
): number {
  const pairs = ones.flatMap((one) => others.filter(({ round }) => round === one.round).map((other) => of(one) / of(other)))
  return median(pairs)
}

const costOf = ({ cpuMs, units }: Sample): number => (cpuMs * 1000) / units

/** One row for each load, scenario and contender, in order of appearance; within a scenario in the order of `contenders`. */
export function rowsOf(samples: readonly Sample[], contenders: readonly string[], references: readonly string[]): readonly Row[] {
  const rows: Row[] = []
  for (const of of groups(samples, ({ load, scenario }) => `${load}\n${scenario}`)) {
    const by = (contender: string) => of.filter((sample) => sample.contender === contender)
    const known = references.filter((reference) => by(reference).length > 0)
    for (const contender of contenders) {
      const mine = by(contender)
      const [first] = mine
      if (first === undefined) continue
      const { load, scenario } = first
      const cpuUs = mine.map(costOf)
      rows.push({
        load,
        scenario,
        contender,
        rounds: mine.length,
        cpuUs: median(cpuUs),
        cpuUsLowest: Math.min(...cpuUs),
        cpuUsHighest: Math.max(...cpuUs),
        primaryUs: median(mine.map(({ primaryCpuMs, units }) => (primaryCpuMs * 1000) / units)),
        requestsPerSecond: median(mine.map(({ requests, seconds }) => requests / seconds)),
        against: Object.fromEntries(known.map((reference) => [reference, pairedRatio(mine, by(reference), costOf)])),
      })
    }
  }
  return rows
}

/** Each target with its measurement, once for each load; left out where the scenario or one of the two was not run. */
export function verdictsOf(rows: readonly Row[], targets: readonly Target[]): readonly Verdict[] {
  return rows.flatMap((row) =>
    targets.flatMap((target) => {
      const measured = target.scenario === row.scenario && target.contender === row.contender ? row.against[target.against] : undefined
      return measured === undefined ? [] : [{ ...target, load: row.load, measured, met: measured <= target.atMost }]
    }),
  )
}

/** A Markdown table; numbers stand to the right. */
export function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const isNumber = head.map((_, column) => lines.every((line) => /^[\d.,–  ]*$/.test(line[column] ?? '')))
  const widths = head.map((_, column) => Math.max(3, ...[head, ...lines].map((line) => (line[column] ?? '').length)))
  const pad = (cell: string, column: number): string =>
    isNumber[column] === true ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
  const written = (line: readonly string[]): string => `| ${line.map(pad).join(' | ')} |`
  const rule = widths.map((width, column) => (isNumber[column] === true ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [written(head), written(rule), ...lines.map(written)].join('\n')
}

/** References that no contender was compared with have no column. */
export function rowTable(rows: readonly Row[], all: readonly { readonly contender: string; readonly column: string }[]): string {
  const references = all.filter(({ contender }) => rows.some(({ against }) => contender in against))
  const head = [
    'scenario',
    'load',
    'contender',
    'CPU µs',
    'lowest–highest',
    'primary µs',
    ...references.map(({ column }) => column),
    'requests/s',
  ]
  return markdown(
    head,
    rows.map((row) => [
      row.scenario,
      row.load,
      row.contender,
      row.cpuUs.toFixed(1),
      `${row.cpuUsLowest.toFixed(1)}–${row.cpuUsHighest.toFixed(1)}`,
      row.primaryUs.toFixed(1),
      ...references.map(({ contender }) => row.against[contender]?.toFixed(2) ?? ''),
      Math.round(row.requestsPerSecond).toLocaleString('en'),
    ]),
  )
}

/** A bound that no target has is no column. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const bounds = (['atMost', 'atLeast'] as const).filter((bound) => verdicts.some((verdict) => verdict[bound] !== undefined))
  return markdown(
    ['target', 'load', ...bounds.map((bound) => (bound === 'atMost' ? 'at most' : 'at least')), 'measured', ''],
    verdicts.map((verdict) => {
      const { scenario, contender, against, unit, load, measured, met } = verdict
      return [
        `${scenario}: ${contender}${against === undefined ? `, ${unit}` : ` / ${against}`}`,
        load,
        ...bounds.map((bound) => verdict[bound]?.toFixed(2) ?? ''),
        measured.toFixed(2),
        met ? 'met' : 'MISSED',
      ]
    }),
  )
}

function groups<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly T[])[] {
  const found = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = found.get(key)
    if (group === undefined) found.set(key, [item])
    else group.push(item)
  }
  return [...found.values()]
}

/** Milliseconds as text. */
export function formatMs(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1)
}
