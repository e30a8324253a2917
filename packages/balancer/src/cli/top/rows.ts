// The rows of the table of `balancer top`: which workers or routes it has, and in which order.

import { stuckMs } from '../../troubles.ts'
import { slotName } from '../../worker-name.ts'
import { emptySlots, type History } from './history.ts'
import type { Metric, Series, Values } from './track.ts'

export interface Row {
  /** Identifies the row while the table changes. */
  readonly key: string
  /** `web/0`, or the name of a route. */
  readonly name: string
  /** Empty: a route of an earlier config leads nowhere. */
  readonly pool: string
  /** undefined: the row is a route. */
  readonly slot: number | undefined
  readonly kind: 'worker' | 'proxy' | 'server' | 'route'
  /** The state of a worker or slot. Empty: the row is a route. */
  readonly state: string
  readonly pid: number | undefined
  /** undefined: the slot has no worker. */
  readonly values: Values | undefined
  readonly series: Series | undefined
  readonly connections: number
  readonly memoryBytes: number
  /** For how long its event loop has been stuck; 0: it turns. */
  readonly stuckMs: number
  /** Of a route: failed requests in a second. */
  readonly failedRate: number | undefined
}

export type Table = 'workers' | 'routes'
export type Sort = 'name' | Metric | 'memory' | 'failed'

/** By which columns each table can be sorted. */
export const SORTS: Readonly<Record<Table, readonly Sort[]>> = {
  workers: ['name', 'rate', 'p99', 'loop', 'queue', 'memory'],
  routes: ['name', 'rate', 'p99', 'wait', 'queue', 'failed'],
}

export interface RowsOptions {
  readonly table: Table
  readonly sort: Sort
  readonly isReversed: boolean
  /** Rows whose name, pool or state does not contain this text are left out. */
  readonly filter: string
}

const NOTHING = { pid: undefined, values: undefined, series: undefined, connections: 0, memoryBytes: 0, stuckMs: 0, failedRate: undefined }

/** Numbers are sorted from the largest down. */
export function rowsOf(history: Pick<History, 'status' | 'workers' | 'servers' | 'routes'>, options: RowsOptions): Row[] {
  const { table, sort, isReversed, filter } = options
  const all = table === 'routes' ? routeRows(history) : workerRows(history)
  const sorted = all.filter(({ name, pool, state }) => [name, pool, state].some((text) => text.includes(filter)))
  // Sorting is stable, so equal rows stay in the order of their names.
  if (sort !== 'name') sorted.sort((one, other) => numberOf(other, sort) - numberOf(one, sort) || 0)
  return isReversed ? sorted.reverse() : sorted
}

/** In the order in which routes are tried. */
function routeRows({ routes }: Pick<History, 'routes'>): Row[] {
  return routes.map(({ route, pool = '', values, series, failedRate }) => {
    return { ...NOTHING, key: route, name: route, pool, slot: undefined, kind: 'route', state: '', values, series, failedRate }
  })
}

function workerRows({ status, workers, servers }: Pick<History, 'status' | 'workers' | 'servers'>): Row[] {
  if (status === undefined) return []
  const proxies = new Set(status.pools.filter(({ servers }) => servers != null).map(({ name }) => name))
  const live = workers.map(({ pool, slot, worker, values, series }): Row => {
    const { connections, memoryBytes } = worker.load
    const state = worker.ejected === true ? 'ejected' : worker.state
    const name = slotName({ pool, slot, proxy: proxies.has(pool) })
    const facts = { values, series, connections, memoryBytes, stuckMs: stuckMs(worker), failedRate: undefined }
    return {
      key: `${name} ${worker.pid}`,
      name,
      pool,
      slot,
      kind: proxies.has(pool) ? 'proxy' : 'worker',
      state,
      pid: worker.pid,
      ...facts,
    }
  })
  const empty = status.pools.flatMap((pool) =>
    emptySlots(pool).map(({ slot, state }): Row => {
      const proxy = proxies.has(pool.name)
      const name = slotName({ pool: pool.name, slot, proxy })
      return { ...NOTHING, key: name, name, pool: pool.name, slot, kind: proxy ? 'proxy' : 'worker', state }
    }),
  )
  const order = new Map(status.pools.map(({ name }, index) => [name, index]))
  const place = ({ pool }: Row): number => order.get(pool) ?? 0
  return [...serverRows(servers), ...live, ...empty].sort(
    (one, other) =>
      place(one) - place(other) ||
      Number(other.kind === 'server') - Number(one.kind === 'server') ||
      (one.slot ?? 0) - (other.slot ?? 0) ||
      (one.pid ?? 0) - (other.pid ?? 0),
  )
}

/** Upstream servers stand before the proxy workers of their pool. */
function serverRows(servers: History['servers']): Row[] {
  return servers.map(({ pool, server: { slot, generation, state, connections }, values, series }): Row => {
    const name = slotName({ pool, slot })
    return { ...NOTHING, key: `server ${name} ${generation}`, name, pool, slot, kind: 'server', state, connections, values, series }
  })
}

function numberOf({ values, memoryBytes, failedRate }: Row, sort: Exclude<Sort, 'name'>): number {
  const number = sort === 'memory' ? memoryBytes : sort === 'failed' ? failedRate : values?.[sort]
  return Math.min(number ?? -1, Number.MAX_VALUE)
}
