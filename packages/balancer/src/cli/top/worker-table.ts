// The worker table of `balancer top`: a line for each worker, with its present values and their sparklines.

import { cut } from '../fitted-table.ts'
import { duration, memory } from '../format.ts'
import type { Series, Values } from './history.ts'
import type { Row, Sort } from './rows.ts'
import type { Line, Segment, Style } from './segments.ts'
import { sparkline } from './sparkline.ts'

export interface WorkerTableOptions {
  readonly width: number
  /** Lines, with the headings. */
  readonly height: number
  readonly selected: number | undefined
  readonly sort: Sort
  readonly isReversed: boolean
  readonly isUtf8: boolean
}

type Metric = keyof Values & keyof Series

interface Column {
  readonly metric: Metric
  readonly head: string
  readonly width: number
  text(row: Row): string
  style(row: Row): Style | undefined
  /** The value of a full sparkline; undefined: the largest of the table. */
  readonly top: number | undefined
}

const MARK = 2
const STATE = 8
const CONNECTIONS = 6
/** A narrower terminal has no column for connections. */
const LEAST_WITH_CONNECTIONS = 100
const MEMORY = 8
const MAX_NAME = 20
/** A narrower terminal has no sparklines. */
const LEAST_SPARK = 3
const MAX_SPARK = 30
const BUSY_SHARE = 0.8

const COLUMNS: readonly Column[] = [
  { metric: 'rate', head: 'REQ/S', width: 5, text: ({ values }) => rateText(values?.rate), style: () => undefined, top: undefined },
  { metric: 'p99', head: 'P99', width: 6, text: ({ values }) => latencyText(values?.p99), style: () => undefined, top: undefined },
  {
    metric: 'loop',
    head: 'LOOP',
    width: 5,
    text: ({ values, stuckMs }) =>
      values === undefined ? '-' : stuckMs > 0 ? duration(stuckMs).replace(' ', '') : `${Math.round(values.loop * 100)} %`,
    style: ({ values, stuckMs }) => (stuckMs > 0 ? 'bad' : (values?.loop ?? 0) >= BUSY_SHARE ? 'warn' : undefined),
    top: 1,
  },
  {
    metric: 'queue',
    head: 'QUEUE',
    width: 5,
    text: ({ values }) => (values === undefined ? '-' : String(values.queue)),
    style: () => undefined,
    top: undefined,
  },
]

const STATE_STYLES: Readonly<Record<string, Style>> = {
  ready: 'good',
  starting: 'warn',
  draining: 'warn',
  held: 'warn',
  empty: 'warn',
  ejected: 'bad',
  failed: 'bad',
  broken: 'bad',
}

/** The headings and as many rows as fit, with the selected one among them. */
export function workerTable(rows: readonly Row[], options: WorkerTableOptions): Line[] {
  const { width, height, selected } = options
  const connections = width < LEAST_WITH_CONNECTIONS ? 0 : CONNECTIONS + 1
  const name = Math.min(MAX_NAME, Math.max(6, ...rows.map((row) => row.name.length)))
  const fixed = MARK + name + 1 + STATE + COLUMNS.reduce((sum, column) => sum + 1 + column.width, 0) + connections + 1 + MEMORY
  const room = Math.floor((width - fixed) / COLUMNS.length) - 1
  const spark = room < LEAST_SPARK ? 0 : Math.min(MAX_SPARK, room)
  const places = Math.max(0, height - 1)
  const start = firstShown(rows.length, places, selected)
  const tops = new Map(COLUMNS.map((column) => [column.metric, column.top ?? largest(rows, column.metric, spark)]))
  const shown = rows.slice(start, start + places).map((row, index): Line => {
    const isSelected = start + index === selected
    const cells: Segment[] = [
      isSelected ? '> ' : '  ',
      [`${cut(row.name, name).padEnd(name)} `, isSelected ? 'selected' : 'bold'],
      [row.state.slice(0, STATE).padEnd(STATE), STATE_STYLES[row.state]],
    ]
    for (const column of COLUMNS) {
      cells.push([` ${cut(column.text(row), column.width).padStart(column.width)}`, column.style(row)])
      if (spark > 0)
        cells.push([
          ` ${sparkline(row.series?.[column.metric] ?? [], { width: spark, top: tops.get(column.metric), isUtf8: options.isUtf8 })}`,
          'dim',
        ])
    }
    const isEmpty = row.values === undefined
    cells.push(
      (isEmpty ? '-' : String(row.connections)).padStart(connections).slice(0, connections),
      ` ${(isEmpty ? '-' : memory(row.memoryBytes)).padStart(MEMORY)}`,
    )
    return cells
  })
  return [heading(name, spark, connections, options), ...shown]
}

function heading(name: number, spark: number, connections: number, { sort, isReversed }: WorkerTableOptions): Line {
  const arrow = (column: Sort, text: string): string => (sort === column ? `${isReversed ? '^' : 'v'}${text}` : text)
  const metrics = COLUMNS.map(
    ({ metric, head, width }) => `${arrow(metric, head).padStart(width + 1)}${spark > 0 ? ' '.repeat(spark + 1) : ''}`,
  )
  const worker = `${arrow('worker', '').padEnd(2)}${'WORKER'.padEnd(name)}`
  return [
    [
      `${worker} ${'STATE'.padEnd(STATE)}${metrics.join('')}${'CONNS'.padStart(connections).slice(0, connections)}${arrow('memory', 'MEMORY').padStart(MEMORY + 1)}`,
      'dim',
    ],
  ]
}

/** The first row that is shown, so that the selected one is in sight. */
function firstShown(count: number, places: number, selected = 0): number {
  return Math.max(0, Math.min(selected - Math.floor(places / 2), count - places))
}

function largest(rows: readonly Row[], metric: Metric, width: number): number {
  let most = 0
  for (const { series } of rows)
    for (const value of series?.[metric].slice(-width) ?? [])
      if (value !== undefined && Number.isFinite(value)) most = Math.max(most, value)
  return most
}

/** `12.3`, `1234`, `56k`. */
export function rateText(rate: number | undefined): string {
  if (rate === undefined) return '-'
  return rate < 100 ? rate.toFixed(1) : rate < 10_000 ? String(Math.round(rate)) : `${Math.round(rate / 1000)}k`
}

/** `0.4 ms`, `12 ms`, `1.2 s`, `> 10 s`. */
export function latencyText(ms: number | undefined): string {
  if (ms === undefined) return '-'
  if (ms === Number.POSITIVE_INFINITY) return '> 10 s'
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
