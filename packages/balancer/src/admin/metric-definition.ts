// A metric: its name, help, type and labels, and how its values are read from the status. docs/metrics.md lists each metric.

import type { MetricExemplar } from '@switchyard/worker-runtime'
import type { BalancerStatus, WorkerStatus } from '../status.ts'
import type { SlotTotal, SlotTotals } from './slot-totals.ts'

/** One value with its labels. */
export type Row = { labels: Record<string, string | number>; value: number }

/** One histogram: the number of values in each bucket, last those above every bound, and the sum of all values. */
export interface HistogramRow {
  labels: Record<string, string | number>
  counts: readonly number[]
  sum: number
  /** By bucket. */
  exemplars?: readonly (MetricExemplar | undefined)[] | undefined
}

type Read = (status: BalancerStatus) => Row[]
type Merge = (values: readonly number[]) => number

interface NumberDefinition {
  name: string
  help: string
  type: 'counter' | 'gauge'
  labels: string[]
  read: Read
}

interface HistogramDefinition {
  name: string
  help: string
  type: 'histogram'
  labels: string[]
  buckets: number[]
  read: (status: BalancerStatus) => HistogramRow[]
}

export type MetricDefinition = NumberDefinition | HistogramDefinition

export function counter(name: string, help: string, labels: string[], read: Read): MetricDefinition {
  return { name, help, type: 'counter', labels, read }
}

export function gauge(name: string, help: string, labels: string[], read: Read): MetricDefinition {
  return { name, help, type: 'gauge', labels, read }
}

export function only(value: number): Row[] {
  return [{ labels: {}, value }]
}

/** One row for each key, which is the value of the label. */
export function byKey(label: string, values: Readonly<Record<string, number>>): Row[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }))
}

/** Each slot with its present processes: two while a worker is replaced. */
export function presentSlots(workers: readonly WorkerStatus[]): [slot: number, present: WorkerStatus[]][] {
  const present = workers.filter(({ state }) => state !== 'gone')
  return [...new Set(present.map(({ slot }) => slot))].map((slot) => [slot, present.filter((worker) => worker.slot === slot)])
}

/** A gauge for each slot: the sum or the maximum over its present processes. */
export function perSlot(name: string, help: string, merge: Merge, read: (worker: WorkerStatus) => number): MetricDefinition {
  return gauge(name, help, ['pool', 'slot'], ({ pools }) =>
    pools.flatMap((pool) =>
      presentSlots(pool.workers).map(([slot, present]) => ({ labels: { pool: pool.name, slot }, value: merge(present.map(read)) })),
    ),
  )
}

/** A counter for each slot, over all its processes since the balancer started. */
export function perSlotTotal(name: string, help: string, totals: SlotTotals, read: (total: SlotTotal) => number): MetricDefinition {
  return counter(name, help, ['pool', 'slot'], ({ pools }) =>
    totals.update(pools).map((total) => ({ labels: { pool: total.pool, slot: total.slot }, value: read(total) })),
  )
}

export const sum: Merge = (values) => values.reduce((total, value) => total + value, 0)
export const max: Merge = (values) => Math.max(...values)
