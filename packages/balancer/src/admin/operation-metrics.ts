// Metrics of what changes: why worker processes ended, reloads, upgrades and other operations.

import type { MetricStore } from '../counts/metric-store.ts'
import { type BalancerStatus, exitCauses, type OperationStatus } from '../status.ts'
import { counter, gauge, type MetricDefinition, only, type Row } from './metric-definition.ts'

export function operationMetrics(store?: MetricStore): MetricDefinition[] {
  return [
    counter('switchyard_worker_exits_total', 'Worker processes that have ended, by cause', ['pool', 'cause'], exitRows),
    gauge('switchyard_pool_generation', 'Generation of the pool; each reload raises it', ['pool'], ({ pools }) =>
      pools.map(({ name, generation }) => ({ labels: { pool: name }, value: generation })),
    ),
    gauge('switchyard_pool_reloading', '1 while workers of the pool are replaced by a reload', ['pool'], ({ pools }) =>
      pools.map(({ name, reloading }) => ({ labels: { pool: name }, value: reloading ? 1 : 0 })),
    ),
    gauge('switchyard_pool_broken_slots', 'Slots that stay empty because their workers failed too often', ['pool'], ({ pools }) =>
      pools.map(({ name, broken }) => ({ labels: { pool: name }, value: broken.length })),
    ),
    counter(
      'switchyard_operations_total',
      'Operations that have ended, by result: ok or failed',
      ['operation', 'result'],
      ({ operations }) =>
        operations.flatMap(({ name, succeeded, failed }) => [
          { labels: { operation: name, result: 'ok' }, value: succeeded },
          { labels: { operation: name, result: 'failed' }, value: failed },
        ]),
    ),
    gauge('switchyard_operation_running', '1 while the operation is under way', ['operation'], ({ operations }) =>
      operations.map(({ name, running }) => ({ labels: { operation: name }, value: running ? 1 : 0 })),
    ),
    gauge(
      'switchyard_operation_last_end_timestamp_seconds',
      'When the last operation ended, in seconds since 1970',
      ['operation'],
      ({ operations }) => operations.flatMap((status) => lastRow(status, ({ endedMs }) => endedMs / 1000)),
    ),
    gauge('switchyard_operation_last_success', '1: the last operation succeeded', ['operation'], ({ operations }) =>
      operations.flatMap((status) => lastRow(status, ({ isGood }) => (isGood ? 1 : 0))),
    ),
    counter(
      'switchyard_metric_values_dropped_total',
      'Values of the metrics of apps that were not taken: too many series, or another type than in another worker',
      [],
      () => (store === undefined ? [] : only(store.dropped)),
    ),
  ]
}

/** Every cause of each pool has a row from the start: Prometheus does not see the first increase of a series that appears with it. */
function exitRows({ exits, pools }: Pick<BalancerStatus, 'exits' | 'pools'>): Row[] {
  const names = new Set([...pools.map(({ name }) => name), ...exits.map(({ pool }) => pool)])
  return [...names].flatMap((pool) =>
    exitCauses.map((cause) => {
      const found = exits.find((exit) => exit.pool === pool && exit.cause === cause)
      return { labels: { pool, cause }, value: found?.count ?? 0 }
    }),
  )
}

function lastRow({ name, last }: OperationStatus, read: (last: NonNullable<OperationStatus['last']>) => number): Row[] {
  return last === null ? [] : [{ labels: { operation: name }, value: read(last) }]
}
