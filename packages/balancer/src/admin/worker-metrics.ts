// Metrics of pools and workers: states, load, event loop, memory and response times.

import { type LoadDetails, responseBoundsMs } from '@switchyard/handoff'
import type { PoolStatus } from '../status.ts'
import { counter, gauge, type MetricDefinition, max, perSlot, perSlotTotal, presentSlots, type Row, sum } from './metric-definition.ts'
import type { SlotTotals } from './slot-totals.ts'

export const poolMetrics: readonly MetricDefinition[] = [
  gauge('switchyard_workers', 'Workers by pool and state', ['pool', 'state'], ({ pools }) => pools.flatMap(stateRows)),
  gauge('switchyard_workers_desired', 'Workers that the pool should have', ['pool'], ({ pools }) =>
    pools.map(({ name, desired }) => ({ labels: { pool: name }, value: desired })),
  ),
  counter('switchyard_load_board_faults_total', 'Impossible load values of workers that were ignored', ['pool'], ({ pools }) =>
    pools.map(({ name, boardFaults }) => ({ labels: { pool: name }, value: boardFaults })),
  ),
]

export function workerMetrics(totals: SlotTotals): MetricDefinition[] {
  return [
    perSlot('switchyard_worker_in_flight', 'Requests started and not finished', sum, ({ load }) => load.inFlight),
    perSlot('switchyard_worker_connections', 'Open connections of the worker', sum, ({ load }) => load.connections),
    perSlot(
      'switchyard_worker_busy_seconds',
      'Duration of the present turn of the event loop; 0 while it waits for work',
      max,
      ({ load }) => load.busyMs / 1000,
    ),
    perSlot('switchyard_worker_latency_seconds', 'Moving average of response times', max, ({ load }) => load.latencyMs / 1000),
    perSlot(
      'switchyard_worker_loop_lag_seconds',
      'Delay of the event loop at the last report of the worker',
      max,
      ({ load }) => load.loopLagMs / 1000,
    ),
    perSlot(
      'switchyard_worker_utilisation',
      'Share of time in which the event loop of the worker was busy, 0 to 1',
      max,
      ({ load }) => load.utilisation,
    ),
    perSlot('switchyard_worker_memory_bytes', 'Resident memory of the worker', sum, ({ load }) => load.memoryBytes),
    perSlot('switchyard_worker_heap_used_bytes', 'Used JavaScript heap of the worker', sum, ({ details }) => details?.heapUsedBytes ?? 0),
    perSlot(
      'switchyard_worker_heap_limit_bytes',
      'Limit of the JavaScript heap of the worker; beyond it the process exits',
      sum,
      ({ details }) => details?.heapLimitBytes ?? 0,
    ),
    gauge(
      'switchyard_worker_loop_delay_seconds',
      'Delay of the event loop of the worker in the last ten seconds: median (p50), 99th percentile (p99) and maximum (max)',
      ['pool', 'slot', 'statistic'],
      ({ pools }) => pools.flatMap(loopDelayRows),
    ),
    {
      name: 'switchyard_worker_response_seconds',
      help: 'Response times of every eighth request, from its head until the response is written',
      type: 'histogram',
      labels: ['pool', 'slot'],
      buckets: responseBoundsMs.map((ms) => ms / 1000),
      read: ({ pools }) =>
        totals.update(pools).map(({ pool, slot, responses, responseSumMs }) => ({
          labels: { pool, slot },
          counts: responses,
          sum: responseSumMs / 1000,
        })),
    },
    perSlotTotal('switchyard_worker_requests_total', 'Requests that workers of the slot started', totals, (total) => total.begun),
    perSlotTotal(
      'switchyard_worker_failed_total',
      'Of these requests, those that failed with 5xx or were aborted by the app',
      totals,
      (total) => total.failed,
    ),
    perSlotTotal('switchyard_worker_hand_offs_total', 'Connections handed to workers of the slot', totals, (total) => total.handOffs),
    perSlotTotal('switchyard_worker_restarts_total', 'Restarts of the worker of the slot', totals, (total) => total.restarts),
  ]
}

function stateRows({ name, workers }: PoolStatus): Row[] {
  return (['starting', 'ready', 'draining'] as const).map((state) => ({
    labels: { pool: name, state },
    value: workers.filter((worker) => worker.state === state).length,
  }))
}

function loopDelayRows({ name, workers }: PoolStatus): Row[] {
  return presentSlots(workers).flatMap(([slot, present]) => {
    const longest = (read: (delay: LoadDetails['loopDelay']) => number) =>
      Math.max(...present.map(({ details }) => (details === null ? 0 : read(details.loopDelay) / 1000)))
    return [
      { labels: { pool: name, slot, statistic: 'p50' }, value: longest(({ p50Ms }) => p50Ms) },
      { labels: { pool: name, slot, statistic: 'p99' }, value: longest(({ p99Ms }) => p99Ms) },
      { labels: { pool: name, slot, statistic: 'max' }, value: longest(({ maxMs }) => maxMs) },
    ]
  })
}
