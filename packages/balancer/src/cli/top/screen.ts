// The screen of `balancer top` as lines: the balancer, its health, the workers or routes, the log, and the keys or a question.

import type { LogEntry } from '../../control/control-protocol.ts'
import { healthSentence, troublesOf } from '../../troubles.ts'
import { wrapped } from '../fitted-table.ts'
import { duration, urlsOf } from '../format.ts'
import { lineFormat } from '../line-format.ts'
import { printable } from '../printable.ts'
import type { History } from './history.ts'
import { type Row, SORTS, type Table } from './rows.ts'
import { apart, type Line, type Style } from './segments.ts'
import { sparkline } from './sparkline.ts'
import { latencyText, rateText, tableLines } from './table.ts'
import { selectedIndex, type View } from './view.ts'

export interface ScreenOptions {
  readonly history: History
  readonly rows: readonly Row[]
  readonly view: View
  /** The newest last. */
  readonly logs: readonly LogEntry[]
  /** Progress or result of an operation; undefined: there is none. */
  readonly message: { readonly text: string; readonly style: Style | undefined } | undefined
  /** Why the balancer does not answer; undefined: it does. */
  readonly lost: { readonly reason: string; readonly forMs: number } | undefined
  readonly width: number
  readonly height: number
  readonly isUtf8: boolean
  /** Such as `15:04:05`. */
  readonly clock: string
}

const HEAD_LINES = 4
const LEAST_TABLE = 4
const SMALL_LOG = 5
const TOTAL_SPARK = 12
/** Below it there is a sentence only. */
const LEAST_WIDTH = 40
const LEAST_HEIGHT = 8

const KEYS: Readonly<Record<Table, string>> = {
  workers: 'd drain, r restart, R reload, +/- scale, s sort, t routes, l log, ? help, q quit',
  routes: 'R reload, +/- scale the pool, s sort, / filter, t workers, l log, ? help, q quit',
}
const HELP = [
  ['t, tab', 'show routes, or workers again'],
  ['up, down, k, j', 'select a row; also page up, page down, home, end'],
  ['d', 'drain the worker; its slot stays empty'],
  ['r', 'restart the worker, or fill an empty slot'],
  ['R', 'reload every worker of the pool, with the config read again'],
  ['+, -', 'scale the pool by one worker'],
  ['s, S', `sort by ${SORTS.workers.join(', ')}; S reverses`],
  ['/', 'show only rows with a text in name, pool or state'],
  ['l', 'log: small, large, off'],
  ['L', 'log of the selected worker or pool only, or of all'],
  ['q, ^C', 'quit; the balancer runs on'],
  ['', ''],
  ['REQ/S', 'requests started in a second'],
  ['P99', '99th percentile of response times, last ten samples'],
  ['LOOP', 'time that the event loop was busy, or is blocked'],
  ['QUEUE', 'requests in flight'],
  ['FAIL/S', 'requests answered with 5xx or aborted, in a second'],
  ['WAIT', 'waits in the queue of the pool, 99th percentile'],
] as const

/** Exactly `height` lines. */
export function screen(options: ScreenOptions): Line[] {
  const { width, height, view } = options
  if (width < LEAST_WIDTH || height < LEAST_HEIGHT)
    return filled(
      [`This terminal is too small: ${LEAST_WIDTH} x ${LEAST_HEIGHT} at least.`].map((line) => [line]),
      height,
    )
  if (view.mode === 'help') return filled(helpLines(), height)
  const head = headLines(options)
  const room = height - head.length - 1
  const logHeight = logHeightOf(options, room)
  const selected = selectedIndex(view, options.rows)
  const { table, sort, isReversed } = view
  const lines = tableLines(options.rows, { table, width, height: room - logHeight, selected, sort, isReversed, isUtf8: options.isUtf8 })
  return [...head, ...filled(lines, room - logHeight), ...logLines(options, logHeight), footer(options)]
}

function filled(lines: readonly Line[], height: number): Line[] {
  return [...lines, ...Array.from({ length: Math.max(0, height - lines.length) }, () => [''])].slice(0, height)
}

function helpLines(): Line[] {
  const lines = HELP.map(([keys, what]): Line => [`  `, [keys.padEnd(16), 'bold'], what])
  return [[['balancer top', 'title']], [''], ...lines, [''], ['Any key goes back.']]
}

function headLines({ history, lost, width, clock, isUtf8 }: ScreenOptions): Line[] {
  const { status, totals } = history
  if (status === undefined || totals === undefined) return filled([[['balancer top', 'title']], ['The balancer is asked…']], HEAD_LINES)
  const { name, pid, upMs, version } = status
  const first = apart(
    [
      [printable(name), 'title'],
      `  pid ${pid}  up ${duration(upMs)}  version ${printable(version)}  ${urlsOf(status)
        .map((url) => printable(url))
        .join(' ')}`,
    ],
    [clock],
    width,
  )
  const { values, series, refusedRate } = totals
  const spark = (list: readonly (number | undefined)[]): string => sparkline(list, { width: TOTAL_SPARK, isUtf8 })
  const third: Line = [
    ['req/s ', 'dim'],
    [rateText(values.rate), 'bold'],
    [` ${spark(series.rate)}`, 'dim'],
    ['  p99 ', 'dim'],
    [latencyText(values.p99), 'bold'],
    [` ${spark(series.p99)}`, 'dim'],
    ['  waiting ', 'dim'],
    [String(values.queue), (values.queue ?? 0) > 0 ? 'warn' : 'bold'],
    ['  refused/s ', 'dim'],
    [rateText(refusedRate), (refusedRate ?? 0) > 0 ? 'bad' : 'bold'],
  ]
  // A long reason takes the empty line too.
  const { text, style } = healthText(history, status, lost)
  const [health, ...more] = wrapped(text, width).split('\n')
  const second: Line = [[health as string, style]]
  return more.length === 0 ? [first, second, third, ['']] : [first, second, [[more.join(' '), style]], third]
}

function healthText(
  { recent }: History,
  status: NonNullable<History['status']>,
  lost: ScreenOptions['lost'],
): { text: string; style: Style } {
  if (lost !== undefined)
    return {
      style: 'bad',
      text: `NO ANSWER for ${duration(lost.forMs)}, and these values are old: ${printable(lost.reason).replaceAll('\n', ' ')}`,
    }
  const troubles = troublesOf(status, recent)
  const [worst] = troubles
  const style: Style = worst === undefined ? 'good' : worst.severity === 'watch' ? 'warn' : 'bad'
  const remark = worst?.severity === 'watch' ? ` ${worst.subject} ${worst.reason}` : ''
  return { style, text: printable(`${healthSentence(status, troubles)}${remark}`) }
}

function logHeightOf({ view, rows }: ScreenOptions, room: number): number {
  if (view.logSize === 'off') return 0
  const table = Math.max(LEAST_TABLE, rows.length + 1)
  const most = room - LEAST_TABLE
  if (view.logSize === 'large') return Math.max(0, most)
  // What the table does not need, but a few lines at least.
  return Math.max(0, Math.min(most, Math.max(SMALL_LOG, room - table)))
}

function logLines({ logs, view, rows }: ScreenOptions, height: number): Line[] {
  if (height === 0) return []
  const row = rows[selectedIndex(view, rows) ?? -1]
  const isOfOne = view.logsSelected && row !== undefined
  const shown = isOfOne ? logs.filter(({ pool, slot }) => pool === row.pool && (row.slot === undefined || slot === row.slot)) : logs
  const format = lineFormat(false)
  const lines = shown.slice(-height).flatMap((entry) => format(entry).trimEnd().split('\n'))
  const title = isOfOne ? `-- log of ${row.slot === undefined ? row.pool : row.name}` : '-- log'
  return [
    [[title, 'dim']],
    ...filled(
      lines.slice(1 - height || lines.length).map((line) => [line.replaceAll('\t', '  ')]),
      height - 1,
    ),
  ]
}

function footer({ view, message }: ScreenOptions): Line {
  if (view.mode === 'filter') return [['filter: ', 'bold'], view.filter, ['_', 'selected'], ['  enter keeps it, escape shows all', 'dim']]
  if (view.mode === 'confirm') return [[`${view.wanted?.what}? y/n`, 'warn']]
  if (message !== undefined) return [[printable(message.text).replaceAll('\n', ' '), message.style]]
  return [...(view.filter === '' ? [] : ([[`[${view.filter}] `, 'warn']] as const)), [KEYS[view.table], 'dim']]
}
