// One metric of the workers' apps or processes, as the page shows it: its series, each with its labels as text and its value.
//
// Counters and histograms are sums over all workers, and what a worker that is gone has counted stays. A gauge has one series for each worker, or
// one for all by its aggregator. Metrics of the process have the labels of the worker, whatever their kind.

import { isCumulative, type MetricExemplar, type MetricFamily, type MetricKind, type MetricSample } from '@switchyard/worker-runtime'

/** One value. `labels` such as `method="GET",pool="web"`. */
export interface Series {
  readonly suffix: string
  readonly labels: string
  value: number
  exemplar?: MetricExemplar | undefined
}

/** The process that a sample comes from. */
export interface SeriesSource {
  readonly id: number
  readonly pool: string
  readonly slot: number
}

/** Bounds the series of all families together. */
export interface SeriesBudget {
  left: number
  dropped: number
}

interface Gauges {
  readonly source: SeriesSource
  readonly series: Map<string, Series>
}

/** How the gauges of all workers become one; prom-client's default, `sum`, means here that each worker has its own. */
const AGGREGATORS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  first: (values) => values[0] as number,
  min: (values) => values.reduce((least, value) => Math.min(least, value)),
  max: (values) => values.reduce((most, value) => Math.max(most, value)),
  average: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
}
/** A gauge that the app does not want in the sum of all workers. */
const OMITTED = 'omit'

export class StoredFamily {
  readonly name: string
  readonly kind: MetricKind
  help: string
  private readonly isOfProcess: boolean
  /** undefined: each worker has its own gauges. */
  private readonly aggregate: ((values: readonly number[]) => number) | undefined
  private readonly isOmitted: boolean
  private readonly budget: SeriesBudget
  private readonly sums = new Map<string, Series>()
  /** By the id of the worker. */
  private readonly gauges = new Map<number, Gauges>()

  constructor({ name, kind, help, aggregator, isOfProcess }: MetricFamily, budget: SeriesBudget) {
    this.name = name
    this.kind = kind
    this.help = help ?? ''
    this.aggregate = isOfProcess ? undefined : AGGREGATORS[aggregator ?? '']
    this.isOmitted = !isOfProcess && aggregator === OMITTED
    this.isOfProcess = isOfProcess
    this.budget = budget
  }

  /** Takes in the samples of one message, which are of the same kind. */
  add(source: SeriesSource, samples: readonly MetricSample[]): void {
    for (const sample of samples) {
      if (isCumulative(this.kind, sample.suffix)) this.addSum(source, sample)
      else this.setGauge(source, sample)
    }
  }

  /** The worker is gone: its gauges go with it. */
  forget({ id }: SeriesSource): void {
    this.budget.left += this.gauges.get(id)?.series.size ?? 0
    this.gauges.delete(id)
  }

  *series(): Iterable<Series> {
    yield* this.sums.values()
    if (this.aggregate !== undefined) yield* this.aggregated(this.aggregate)
    else if (!this.isOmitted) for (const series of this.newest()) yield* series.values()
  }

  private addSum(source: SeriesSource, { suffix, labels, value, exemplar }: MetricSample): void {
    if (value === null || !(value >= 0)) return
    const all = this.isOfProcess ? withWorker(labels, source) : labels
    const one = this.find(this.sums, suffix, all, all)
    if (one === undefined) return
    one.value += value
    if (exemplar !== undefined) one.exemplar = exemplar
  }

  private setGauge(source: SeriesSource, { suffix, labels, value }: MetricSample): void {
    const gauges = this.gauges.get(source.id) ?? { source, series: new Map<string, Series>() }
    this.gauges.set(source.id, gauges)
    if (value === null) {
      if (gauges.series.delete(suffix + labels)) this.budget.left++
      return
    }
    const one = gauges.series.get(suffix + labels) ?? this.find(gauges.series, suffix, labels, this.shown(labels, source))
    if (one !== undefined) one.value = value
  }

  private shown(labels: string, source: SeriesSource): string {
    return this.aggregate === undefined ? withWorker(labels, source) : labels
  }

  /** `labels`: as the worker sent them; `shown`: as the page shows them. */
  private find(series: Map<string, Series>, suffix: string, labels: string, shown: string): Series | undefined {
    const key = suffix + labels
    const known = series.get(key)
    if (known !== undefined) return known
    if (this.budget.left <= 0) {
      this.budget.dropped++
      return undefined
    }
    this.budget.left--
    const made: Series = { suffix, labels: shown, value: 0 }
    series.set(key, made)
    return made
  }

  /** While a worker is replaced, two processes share a slot. The newer one speaks for it. */
  private newest(): Iterable<Map<string, Series>> {
    const bySlot = new Map<string, Gauges>()
    for (const one of this.gauges.values()) {
      const { pool, slot, id } = one.source
      if (id >= (bySlot.get(`${pool}/${slot}`)?.source.id ?? 0)) bySlot.set(`${pool}/${slot}`, one)
    }
    return [...bySlot.values()].map(({ series }) => series)
  }

  private *aggregated(aggregate: (values: readonly number[]) => number): Iterable<Series> {
    const byKey = new Map<string, { one: Series; values: number[] }>()
    for (const { series } of this.gauges.values()) {
      for (const [key, one] of series) {
        const entry = byKey.get(key)
        if (entry === undefined) byKey.set(key, { one, values: [one.value] })
        else entry.values.push(one.value)
      }
    }
    for (const { one, values } of byKey.values()) yield { ...one, value: aggregate(values) }
  }
}

/** Adds the worker to the labels. Labels of the app with the same names are renamed, as Prometheus does. */
function withWorker(labels: string, { pool, slot }: SeriesSource): string {
  const own = labels.replace(/(^|",)(pool|slot)="/g, '$1exported_$2="')
  return `${own}${own === '' ? '' : ','}pool="${pool}",slot="${slot}"`
}
