// The registry of the admin page: reads every metric from the status at each scrape. The path of a connection knows nothing of it.

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { BalancerStatus, StatusSource } from '../status.ts'
import { choiceMetrics } from './choice-metrics.ts'
import { connectionMetrics } from './connection-metrics.ts'
import { FilledHistogram } from './filled-histogram.ts'
import { jobMetrics } from './job-metrics.ts'
import { logMetrics } from './log-metrics.ts'
import type { MetricDefinition } from './metric-definition.ts'
import { sessionMetrics } from './session-metrics.ts'
import { SlotTotals } from './slot-totals.ts'
import { poolMetrics, workerMetrics } from './worker-metrics.ts'

/** Gauges of prom-client with names of counters, which `promtool check metrics` rejects. Each is the sum of the metric without the suffix. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** All metrics of the balancer itself; docs/metrics.md lists each. `totals` keeps what replaced workers have counted. */
export function metricDefinitions(totals: SlotTotals): MetricDefinition[] {
  return [
    ...connectionMetrics,
    ...choiceMetrics,
    ...poolMetrics,
    ...jobMetrics,
    ...logMetrics,
    ...sessionMetrics(totals),
    ...workerMetrics(totals),
  ]
}

/** The balancer's metrics and those of the primary's process, in a registry of their own. */
export class Metrics {
  private readonly registry = new Registry()
  private readonly source: StatusSource
  private readonly metrics: { fill(status: BalancerStatus): void }[]
  private hasProcessMetrics = false

  constructor(source: StatusSource) {
    this.source = source
    this.metrics = metricDefinitions(new SlotTotals()).map((definition) => register(definition, this.registry))
  }

  get contentType(): string {
    return this.registry.contentType
  }

  /** All metrics come from one status, so that sums over them hold. */
  text(): Promise<string> {
    // Not before the first scrape: they sample the event loop a hundred times a second.
    if (!this.hasProcessMetrics) this.addProcessMetrics()
    const status = this.source.status()
    for (const metric of this.metrics) metric.fill(status)
    return this.registry.metrics()
  }

  private addProcessMetrics(): void {
    this.hasProcessMetrics = true
    collectDefaultMetrics({ register: this.registry })
    for (const name of MISNAMED) this.registry.removeSingleMetric(name)
  }
}

function register(definition: MetricDefinition, registry: Registry) {
  const { name, help, type, labels } = definition
  if (type === 'histogram') return new FilledHistogram(definition, registry)
  const { read } = definition
  const options = { name, help, labelNames: labels, registers: [registry] }
  const metric = type === 'gauge' ? new Gauge(options) : new Counter(options)
  return {
    fill(status: BalancerStatus) {
      // Removes the rows of workers that have exited. Counters get their whole total from the status.
      metric.reset()
      for (const row of read(status)) metric.inc(row.labels, row.value)
    },
  }
}
