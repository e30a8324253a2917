// Metrics of the queues: how many connections wait for a worker of a pool, and how long they wait.

import { responseBoundsMs } from '@switchyard/handoff'
import type { PoolStatus } from '../status.ts'
import { gauge, type MetricDefinition } from './metric-definition.ts'

export const queueMetrics: readonly MetricDefinition[] = [
  gauge('switchyard_queue_length', 'Connections that wait for a worker of the pool', ['pool'], ({ pools }) =>
    listening(pools).map(({ name, queue }) => ({ labels: { pool: name }, value: queue.length })),
  ),
  {
    name: 'switchyard_queue_wait_seconds',
    help: 'How long connections have waited in the queue of the pool; those that a worker could have at once are not counted',
    type: 'histogram',
    labels: ['pool'],
    buckets: responseBoundsMs.map((ms) => ms / 1000),
    read: ({ pools }) =>
      listening(pools).map(({ name, queue: { waits } }) => ({ labels: { pool: name }, counts: waits.counts, sum: waits.sumMs / 1000 })),
  },
]

function listening(pools: readonly PoolStatus[]): readonly PoolStatus[] {
  return pools.filter(({ listens }) => listens)
}
