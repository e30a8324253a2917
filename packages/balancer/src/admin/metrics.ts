// The metrics of the admin page: the balancer's own, read from one status, those of the primary's process, and those that workers have pushed.
// The path of a connection knows nothing of it.

import type { StoredFamily } from '../counts/metric-family.ts'
import type { MetricStore } from '../counts/metric-store.ts'
import type { BalancerStatus, StatusSource } from '../status.ts'
import { choiceMetrics } from './choice-metrics.ts'
import { connectionMetrics } from './connection-metrics.ts'
import { handshakeMetrics } from './handshake-metrics.ts'
import { jobMetrics } from './job-metrics.ts'
import { logMetrics } from './log-metrics.ts'
import type { HistogramRow, MetricDefinition, Row } from './metric-definition.ts'
import { labelsText, type MetricFormat, type Steps, type TextFamily, type TextSample, writeMetrics } from './metric-text.ts'
import { operationMetrics } from './operation-metrics.ts'
import { ProcessFamilies } from './process-families.ts'
import { queueMetrics } from './queue-metrics.ts'
import { routeMetrics } from './route-metrics.ts'
import { sessionMetrics } from './session-metrics.ts'
import { SlotTotals } from './slot-totals.ts'
import { poolMetrics, workerMetrics } from './worker-metrics.ts'

export interface MetricsSource extends StatusSource {
  /** What workers push; undefined: they push nothing. */
  readonly metrics?: MetricStore | undefined
}

/** All metrics of the balancer itself; docs/metrics.md lists each. `totals` keeps what replaced workers have counted. */
export function metricDefinitions(totals: SlotTotals, store?: MetricStore): MetricDefinition[] {
  return [
    ...connectionMetrics,
    ...choiceMetrics,
    ...handshakeMetrics,
    ...routeMetrics(store?.exemplars),
    ...poolMetrics,
    ...queueMetrics,
    ...operationMetrics(store),
    ...jobMetrics,
    ...logMetrics,
    ...sessionMetrics(totals),
    ...workerMetrics(totals),
  ]
}

export class Metrics {
  private readonly source: MetricsSource
  private readonly definitions: readonly MetricDefinition[]
  private readonly process = new ProcessFamilies()

  constructor(source: MetricsSource) {
    this.source = source
    this.definitions = metricDefinitions(new SlotTotals(), source.metrics)
  }

  /**
   * The whole page. The balancer's own metrics come from one status, so that sums over them hold. Waits for no worker. `steps` learns how long it kept the
   * event loop.
   */
  async page(format: MetricFormat, steps?: Steps): Promise<Buffer> {
    const { metrics: store } = this.source
    store?.want()
    const own = await this.process.read()
    return writeMetrics(this.families(this.source.status(), own, store), format, steps)
  }

  private *families(
    status: BalancerStatus,
    own: Awaited<ReturnType<ProcessFamilies['read']>>,
    store: MetricStore | undefined,
  ): Iterable<TextFamily> {
    for (const definition of this.definitions) yield familyOf(definition, status)
    const pushed = new Map<string, StoredFamily>([...(store?.families() ?? [])].map((family) => [family.name, family]))
    for (const family of own) {
      const more = pushed.get(family.name)
      pushed.delete(family.name)
      yield more === undefined ? family : { ...family, samples: both(family.samples, more) }
    }
    for (const family of pushed.values()) yield { name: family.name, help: family.help, type: family.kind, samples: family.series() }
  }
}

function familyOf(definition: MetricDefinition, status: BalancerStatus): TextFamily {
  const { name, help, type } = definition
  const samples = type === 'histogram' ? bucketSamples(definition.buckets, definition.read(status)) : plainSamples(definition.read(status))
  return { name, help, type, samples }
}

function* both(first: Iterable<TextSample>, second: StoredFamily): Iterable<TextSample> {
  yield* first
  yield* second.series()
}

function* plainSamples(rows: Iterable<Row>): Iterable<TextSample> {
  for (const { labels, value } of rows) yield { suffix: '', labels: labelsText(labels), value }
}

function* bucketSamples(bounds: readonly number[], rows: Iterable<HistogramRow>): Iterable<TextSample> {
  for (const { labels, counts, sum, exemplars } of rows) {
    const text = labelsText(labels)
    let count = 0
    for (let index = 0; index <= bounds.length; index++) {
      count += counts[index] ?? 0
      const le = `le="${bounds[index] ?? '+Inf'}"`
      yield { suffix: '_bucket', labels: text === '' ? le : `${le},${text}`, value: count, exemplar: exemplars?.[index] }
    }
    yield { suffix: '_sum', labels: text, value: sum }
    yield { suffix: '_count', labels: text, value: count }
  }
}
