// A Prometheus histogram whose buckets are counted elsewhere: prom-client's own can only observe one value after the other.

import { Histogram, type MetricObjectWithValues, type MetricValueWithName, type Registry } from 'prom-client'
import type { BalancerStatus } from '../status.ts'

type Values = MetricObjectWithValues<MetricValueWithName<string>>

/** One series: how many values fell into each bucket, the last of them beyond every bound, and the sum of all. */
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
  readonly #options: FilledHistogramOptions
  #rows: HistogramRow[] = []

  constructor(options: FilledHistogramOptions, registry: Registry) {
    const { name, help, labels, buckets } = options
    super({ name, help, labelNames: labels, buckets, registers: [registry] })
    this.#options = options
  }

  fill(status: BalancerStatus): void {
    this.#rows = this.#options.read(status)
  }

  override async get(): Promise<Values> {
    const { name, help } = this.#options
    const values = this.#rows.flatMap((row) => this.#valuesOf(row))
    return { name, help, type: 'histogram', aggregator: 'sum', values } as unknown as Values
  }

  /** What the registry asks when there is one. */
  getForPromString(): Promise<Values> {
    return this.get()
  }

  #valuesOf({ labels, counts, sum }: HistogramRow): MetricValueWithName<string>[] {
    const { name, buckets } = this.#options
    let count = 0
    const below = [...buckets, '+Inf'].map((bound, index) => {
      count += counts[index] ?? 0
      return { metricName: `${name}_bucket`, labels: { le: bound, ...labels }, value: count }
    })
    return [...below, { metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: count }]
  }
}
