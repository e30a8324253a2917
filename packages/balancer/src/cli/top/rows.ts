// The rows of the worker table of `balancer top`: which workers it has, and in which order.

import { stuckMs } from '../../troubles.ts'
import { emptySlots, type History, type Series, type Values } from './history.ts'

export interface Row {
  /** Identifies the row while the table changes. */
  readonly key: string
  /** `web/0`. */
  readonly name: string
  readonly pool: string
  readonly slot: number
  readonly state: string
  readonly pid: number | undefined
  /** undefined: the slot has no worker. */
  readonly values: Values | undefined
  readonly series: Series | undefined
  readonly connections: number
  readonly memoryBytes: number
  /** For how long its event loop has been stuck; 0: it turns. */
  readonly stuckMs: number
}

export const SORTS = ['worker', 'rate', 'p99', 'loop', 'queue', 'memory'] as const
export type Sort = (typeof SORTS)[number]

export interface RowsOptions {
  readonly sort: Sort
  readonly isReversed: boolean
  /** Rows whose worker or state does not contain this text are left out. */
  readonly filter: string
}

/** Numbers are sorted from the largest down. */
export function rowsOf(history: Pick<History, 'status' | 'workers'>, { sort, isReversed, filter }: RowsOptions): Row[] {
  const { status, workers } = history
  if (status === undefined) return []
  const live = workers.map(({ pool, slot, worker, values, series }): Row => {
    const { connections, memoryBytes } = worker.load
    const state = worker.ejected === true ? 'ejected' : worker.state
    const name = `${pool}/${slot}`
    return {
      key: `${name} ${worker.pid}`,
      name,
      pool,
      slot,
      state,
      pid: worker.pid,
      values,
      series,
      connections,
      memoryBytes,
      stuckMs: stuckMs(worker),
    }
  })
  const empty = status.pools.flatMap((pool) =>
    emptySlots(pool).map(({ slot, state }): Row => {
      const name = `${pool.name}/${slot}`
      return { ...NOTHING, key: name, name, pool: pool.name, slot, state }
    }),
  )
  const order = new Map(status.pools.map(({ name }, index) => [name, index]))
  const byName = (one: Row, other: Row): number =>
    (order.get(one.pool) ?? 0) - (order.get(other.pool) ?? 0) || one.slot - other.slot || (one.pid ?? 0) - (other.pid ?? 0)
  const sorted = [...live, ...empty].filter(({ name, state }) => name.includes(filter) || state.includes(filter)).sort(byName)
  // Sorting is stable, so equal rows stay in the order of their names.
  if (sort !== 'worker') sorted.sort((one, other) => numberOf(other, sort) - numberOf(one, sort) || 0)
  return isReversed ? sorted.reverse() : sorted
}

const NOTHING = { pid: undefined, values: undefined, series: undefined, connections: 0, memoryBytes: 0, stuckMs: 0 }

function numberOf({ values, memoryBytes }: Row, sort: Exclude<Sort, 'worker'>): number {
  const number = sort === 'memory' ? memoryBytes : (values?.[sort] ?? -1)
  return Math.min(number, Number.MAX_VALUE)
}
