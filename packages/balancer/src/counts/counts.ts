// Everything that is counted for the metrics and kept between scrapes. It only listens: without it the path of a connection is the same.

import type { BalancerEmitter } from '../events.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { WorkerMessages } from '../supervisor/worker-messages.ts'
import { ExitCounts } from './exit-counts.ts'
import { HandshakeCounts } from './handshake-counts.ts'
import { MetricStore } from './metric-store.ts'
import { OperationCounts } from './operation-counts.ts'
import { RouteTotals } from './route-totals.ts'

export interface CountsOptions {
  readonly events: BalancerEmitter
  readonly messages: WorkerMessages
  readonly supervisor: Pick<Supervisor, 'desired' | 'workers'>
}

export class Counts {
  readonly routes = new RouteTotals()
  readonly exits: ExitCounts
  readonly handshakes = new HandshakeCounts()
  readonly operations: OperationCounts
  readonly metrics: MetricStore

  constructor({ events, messages, supervisor }: CountsOptions) {
    this.exits = new ExitCounts(events, (pool) => supervisor.desired.get(pool)?.generation ?? 0)
    this.operations = new OperationCounts(events)
    this.metrics = new MetricStore(() => supervisor.workers())
    for (const kind of ['listening', 'started'] as const) messages.subscribe(kind, (worker) => this.metrics.greet(worker))
    messages.subscribe('handshakes', ({ pool }, { counts }) => this.handshakes.add(pool, counts))
    messages.subscribe('metrics', (worker, { families, exemplars }) => {
      if (worker.state !== 'gone') this.metrics.receive(worker, families, exemplars)
    })
  }

  recordGone(worker: PoolWorker): void {
    this.routes.recordGone(worker)
    this.metrics.forget(worker)
  }
}
