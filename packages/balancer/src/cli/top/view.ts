// What the user of `balancer top` has chosen, and what each key changes. Pure: an operation is returned, not run.

import type { OperationBodies, OperationName } from '../../control/control-protocol.ts'
import type { Key } from './keys.ts'
import { type Row, SORTS, type Sort, type Table } from './rows.ts'

/** An operation to run once it is confirmed. */
export interface Wanted {
  readonly name: OperationName
  readonly body: OperationBodies[OperationName]
  /** Such as `Restart web/0`. */
  readonly what: string
}

export type LogSize = 'small' | 'large' | 'off'

export interface View {
  readonly mode: 'table' | 'help' | 'filter' | 'confirm'
  readonly table: Table
  /** The key of the selected row, and its place at the last key: another row is selected if it goes. */
  readonly selected: string | undefined
  readonly index: number
  readonly sort: Sort
  readonly isReversed: boolean
  readonly filter: string
  readonly logSize: LogSize
  /** Show log lines of the selected worker, or of the pool of the selected route, only. */
  readonly logsSelected: boolean
  /** In mode `confirm`. */
  readonly wanted: Wanted | undefined
}

export type Effect = 'quit' | 'suspend' | 'redraw' | Wanted

export interface Step {
  readonly view: View
  readonly effect?: Effect | undefined
}

export const FIRST_VIEW: View = {
  mode: 'table',
  table: 'workers',
  selected: undefined,
  index: 0,
  sort: 'name',
  isReversed: false,
  filter: '',
  logSize: 'small',
  logsSelected: false,
  wanted: undefined,
}

const LOG_SIZES: readonly LogSize[] = ['small', 'large', 'off']
const PAGE = 10
const MAX_FILTER = 40

/** The place of the selected row; undefined: there are no rows. */
export function selectedIndex({ selected, index }: View, rows: readonly Row[]): number | undefined {
  if (rows.length === 0) return undefined
  const found = rows.findIndex(({ key }) => key === selected)
  return found === -1 ? Math.min(index, rows.length - 1) : found
}

/** `desired`: the number of workers that the pool should have. */
export function onKey(view: View, key: Key, rows: readonly Row[], desired: (pool: string) => number): Step {
  if (key === 'interrupt') return { view, effect: 'quit' }
  if (key === 'suspend' || key === 'redraw') return { view, effect: key }
  switch (view.mode) {
    case 'help':
      return { view: { ...view, mode: 'table' } }
    case 'filter':
      return { view: typing(view, key) }
    case 'confirm':
      return confirming(view, key)
    default:
      return typeof key === 'string' ? { view: moving(view, key, rows) } : commanding(view, key.character, rows, desired)
  }
}

function typing(view: View, key: Key): View {
  const { filter } = view
  if (key === 'enter') return { ...view, mode: 'table' }
  if (key === 'escape') return { ...view, mode: 'table', filter: '' }
  if (key === 'backspace') return { ...view, filter: filter.slice(0, -1) }
  return typeof key === 'object' && filter.length < MAX_FILTER ? { ...view, filter: filter + key.character } : view
}

/** Anything but a clear yes means no. */
function confirming(view: View, key: Key): Step {
  const isYes = typeof key === 'object' && /^y$/i.test(key.character)
  return { view: { ...view, mode: 'table', wanted: undefined }, effect: isYes ? view.wanted : undefined }
}

function moving(view: View, key: Key & string, rows: readonly Row[]): View {
  const steps: Partial<Record<Key & string, number>> = {
    up: -1,
    down: 1,
    'page-up': -PAGE,
    'page-down': PAGE,
    home: Number.NEGATIVE_INFINITY,
    end: Number.POSITIVE_INFINITY,
  }
  const step = steps[key]
  if (step !== undefined) return select(view, rows, step)
  if (key === 'tab') return otherTable(view)
  return key === 'escape' ? { ...view, filter: '' } : view
}

/** What was chosen for one table has no meaning in the other. */
function otherTable({ table, logSize, logsSelected }: View): View {
  return { ...FIRST_VIEW, logSize, logsSelected, table: table === 'workers' ? 'routes' : 'workers' }
}

function select(view: View, rows: readonly Row[], step: number): View {
  const from = selectedIndex(view, rows)
  if (from === undefined) return view
  const index = Math.max(0, Math.min(rows.length - 1, from + step))
  return { ...view, index, selected: rows[index]?.key }
}

function commanding(view: View, character: string, rows: readonly Row[], desired: (pool: string) => number): Step {
  const row = rows[selectedIndex(view, rows) ?? -1]
  switch (character) {
    case 'q':
      return { view, effect: 'quit' }
    case 'j':
      return { view: select(view, rows, 1) }
    case 'k':
      return { view: select(view, rows, -1) }
    case 's':
      return { view: { ...view, sort: nextSort(view) } }
    case 'S':
      return { view: { ...view, isReversed: !view.isReversed } }
    case 't':
      return { view: otherTable(view) }
    case '/':
      return { view: { ...view, mode: 'filter' } }
    case 'l':
      return { view: { ...view, logSize: LOG_SIZES[(LOG_SIZES.indexOf(view.logSize) + 1) % LOG_SIZES.length] as LogSize } }
    case 'L':
      return { view: { ...view, logsSelected: !view.logsSelected } }
    case '?':
    case 'h':
      return { view: { ...view, mode: 'help' } }
    default: {
      const wanted = row && wantedBy(character, row, desired(row.pool))
      return {
        view: wanted === undefined ? view : { ...view, mode: 'confirm', wanted, selected: row?.key, index: rows.indexOf(row as Row) },
      }
    }
  }
}

function nextSort({ table, sort }: View): Sort {
  const sorts = SORTS[table]
  return sorts[(sorts.indexOf(sort) + 1) % sorts.length] as Sort
}

/** A route has no worker of its own, but it has a pool. */
function wantedBy(character: string, { name, pool, slot, kind }: Row, desired: number): Wanted | undefined {
  if (pool === '') return undefined
  const body = (at: number) => ({ pool, slot: at, ...(kind === 'proxy' && { proxy: true }) })
  switch (character) {
    case 'd':
      return slot === undefined
        ? undefined
        : {
            name: 'drain',
            body: body(slot),
            what: `Drain ${name}, and leave ${kind === 'server' ? 'it out of service' : 'its slot empty'}`,
          }
    case 'r':
      return slot === undefined
        ? undefined
        : { name: 'restart', body: body(slot), what: kind === 'server' ? `Put ${name} in service` : `Restart ${name}` }
    case 'R':
      return { name: 'reload', body: { pool }, what: `Reload every worker of ${pool}` }
    case '+':
    case '=':
      return { name: 'scale', body: { pool, by: 1 }, what: `Scale ${pool} from ${desired} to ${desired + 1}` }
    case '-':
      return desired > 1 ? { name: 'scale', body: { pool, by: -1 }, what: `Scale ${pool} from ${desired} to ${desired - 1}` } : undefined
    default:
      return undefined
  }
}
