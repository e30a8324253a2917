// A Prometheus histogram whose buckets are counted by the workers. prom-client's own histogram can only observe single values.

import { Histogram, type MetricObjectWithValues, type MetricValueWithName, type Registry } from 'prom-client'
import type { BalancerStatus } from '../status.ts'

type Values = MetricObjectWithValues<MetricValueWithName<string>>

/** One series: the number of values in each bucket, last those above every bound, and the sum of all values. */
export interface HistogramRow {
  labels: Record<string, string | number>
  counts: readonly number[]
  sum: number
}

export interface FilledHistogramOptions {
  name: string
  help: string
  labels: string[]
  /** Upper bounds. */
  buckets: number[]
  read: (status: BalancerStatus) => HistogramRow[]
}

export class FilledHistogram extends Histogram {
  private readonly definition: FilledHistogramOptions
  private rows: HistogramRow[] = []

  constructor(options: FilledHistogramOptions, registry: Registry) {
    const { name, help, labels, buckets } = options
    super({ name, help, labelNames: labels, buckets, registers: [registry] })
    this.definition = options
  }

  fill(status: BalancerStatus): void {
    this.rows = this.definition.read(status)
  }

  override async get(): Promise<Values> {
    const { name, help } = this.definition
    const values = this.rows.flatMap((row) => this.valuesOf(row))
    return { name, help, type: 'histogram', aggregator: 'sum', values } as unknown as Values
  }

  /** The registry prefers this method to `get` if it exists. */
  getForPromString(): Promise<Values> {
    return this.get()
  }

  private valuesOf({ labels, counts, sum }: HistogramRow): MetricValueWithName<string>[] {
    const { name, buckets } = this.definition
    let count = 0
    const below = [...buckets, '+Inf'].map((bound, index) => {
      count += counts[index] ?? 0
      return { metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: count }
    })
    return [...below, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: count }]
  }
}
