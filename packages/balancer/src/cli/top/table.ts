// The table of `balancer top`: a line for each worker or route, with its present values and their sparklines.

import { cut } from '../fitted-table.ts'
import { duration, memory } from '../format.ts'
import { printable } from '../printable.ts'
import type { Row, Sort, Table } from './rows.ts'
import type { Line, Segment, Style } from './segments.ts'
import { sparkline } from './sparkline.ts'
import type { Metric } from './track.ts'

export interface TableOptions {
  readonly table: Table
  readonly width: number
  /** Lines, with the headings. */
  readonly height: number
  readonly selected: number | undefined
  readonly sort: Sort
  readonly isReversed: boolean
  readonly isUtf8: boolean
}

/** A column with a sparkline. */
interface Column {
  readonly metric: Metric
  readonly head: string
  readonly width: number
  text(row: Row): string
  style(row: Row): Style | undefined
  /** The value of a full sparkline; undefined: the largest of the table. */
  readonly top: number | undefined
}

/** A column beside them. */
interface Side {
  readonly head: string
  readonly width: number
  /** Set if the table can be sorted by it. */
  readonly sort?: Sort
  /** A narrower terminal has no such column. */
  readonly from?: number
  text(row: Row): string
  style?(row: Row): Style | undefined
}

interface Layout {
  readonly name: string
  readonly mostName: (width: number) => number
  readonly second: Side
  readonly columns: readonly Column[]
  readonly last: readonly Side[]
}

const MARK = 2
/** A narrower terminal has no sparklines. */
const LEAST_SPARK = 3
const MAX_SPARK = 30
const MAX_POOL = 12
const MIN_POOL = 4
const BUSY_SHARE = 0.8

const STATE_STYLES: Readonly<Record<string, Style>> = {
  ready: 'good',
  starting: 'warn',
  draining: 'warn',
  held: 'warn',
  empty: 'warn',
  ejected: 'bad',
  down: 'bad',
  failed: 'bad',
  broken: 'bad',
}

const RATE: Column = plain('rate', 'REQ/S', 5, ({ values }) => rateText(values?.rate))
const P99: Column = plain('p99', 'P99', 6, ({ values }) => latencyText(values?.p99))
const QUEUE: Column = plain('queue', 'QUEUE', 5, ({ values }) => (values === undefined ? '-' : String(values.queue)))
const WAIT: Column = plain('wait', 'WAIT', 6, ({ values }) => latencyText(values?.wait))
const LOOP: Column = {
  ...plain('loop', 'LOOP', 5, ({ values, stuckMs, kind }) =>
    values === undefined || kind === 'server'
      ? '-'
      : stuckMs > 0
        ? duration(stuckMs).replace(' ', '')
        : `${Math.round((values.loop ?? 0) * 100)} %`,
  ),
  style: ({ values, stuckMs }) => (stuckMs > 0 ? 'bad' : (values?.loop ?? 0) >= BUSY_SHARE ? 'warn' : undefined),
  top: 1,
}

const LAYOUTS: Readonly<Record<Table, (rows: readonly Row[]) => Layout>> = {
  workers: () => ({
    name: 'WORKER',
    mostName: () => 20,
    second: { head: 'STATE', width: 8, text: ({ state }) => state, style: ({ state }) => STATE_STYLES[state] },
    columns: [RATE, P99, LOOP, QUEUE],
    last: [
      { head: 'CONNS', width: 6, from: 100, text: ({ values, connections }) => (values === undefined ? '-' : String(connections)) },
      {
        head: 'MEMORY',
        width: 8,
        sort: 'memory',
        text: ({ values, memoryBytes, kind }) => (values === undefined || kind === 'server' ? '-' : memory(memoryBytes)),
      },
    ],
  }),
  routes: (rows) => ({
    name: 'ROUTE',
    // Routes that begin alike differ at their ends.
    mostName: (width) => Math.max(20, Math.floor(width * 0.25)),
    second: {
      head: 'POOL',
      width: Math.min(MAX_POOL, Math.max(MIN_POOL, ...rows.map(({ pool }) => pool.length))),
      text: ({ pool }) => pool || '-',
    },
    columns: [RATE, P99, WAIT],
    last: [
      { head: 'QUEUE', width: 5, sort: 'queue', text: QUEUE.text },
      {
        ...{ head: 'FAIL/S', width: 7, sort: 'failed', text: ({ failedRate }) => rateText(failedRate) },
        style: ({ failedRate = 0 }) => (failedRate > 0 ? 'bad' : undefined),
      },
    ],
  }),
}

/** The headings and as many rows as fit, with the selected one among them. */
export function tableLines(rows: readonly Row[], options: TableOptions): Line[] {
  const { width, height, selected } = options
  const layout = LAYOUTS[options.table](rows)
  const { second, columns } = layout
  const last = layout.last.filter(({ from = 0 }) => width >= from)
  const name = Math.min(layout.mostName(width), Math.max(6, ...rows.map((row) => row.name.length)))
  const fixed = MARK + name + 1 + second.width + [...columns, ...last].reduce((sum, column) => sum + 1 + column.width, 0)
  const room = Math.floor((width - fixed) / columns.length) - 1
  const spark = room < LEAST_SPARK ? 0 : Math.min(MAX_SPARK, room)
  const places = Math.max(0, height - 1)
  const start = firstShown(rows.length, places, selected)
  const tops = new Map(columns.map((column) => [column.metric, column.top ?? largest(rows, column.metric, spark)]))
  const shown = rows.slice(start, start + places).map((row, index): Line => {
    const isSelected = start + index === selected
    const cells: Segment[] = [
      isSelected ? '> ' : '  ',
      [`${cut(printable(row.name), name).padEnd(name)} `, isSelected ? 'selected' : 'bold'],
      [cut(second.text(row), second.width).padEnd(second.width), second.style?.(row)],
    ]
    for (const column of columns) {
      cells.push([` ${cut(column.text(row), column.width).padStart(column.width)}`, column.style(row)])
      const series = row.series?.[column.metric] ?? []
      if (spark > 0) cells.push([` ${sparkline(series, { width: spark, top: tops.get(column.metric), isUtf8: options.isUtf8 })}`, 'dim'])
    }
    for (const side of last) cells.push([` ${cut(side.text(row), side.width).padStart(side.width)}`, side.style?.(row)])
    return cells
  })
  return [heading({ ...layout, last }, name, spark, options), ...shown]
}

function plain(metric: Metric, head: string, width: number, text: (row: Row) => string): Column {
  return { metric, head, width, text, style: () => undefined, top: undefined }
}

function heading(
  { name, second, columns, last }: Omit<Layout, 'mostName'>,
  width: number,
  spark: number,
  { sort, isReversed }: TableOptions,
): Line {
  const arrow = (column: Sort | undefined, text: string): string => (sort === column ? `${isReversed ? '^' : 'v'}${text}` : text)
  const metrics = columns.map(
    (column) => `${arrow(column.metric, column.head).padStart(column.width + 1)}${spark > 0 ? ' '.repeat(spark + 1) : ''}`,
  )
  const sides = last.map((side) => arrow(side.sort, side.head).padStart(side.width + 1))
  return [
    [`${arrow('name', '').padEnd(MARK)}${name.padEnd(width)} ${second.head.padEnd(second.width)}${[...metrics, ...sides].join('')}`, 'dim'],
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
