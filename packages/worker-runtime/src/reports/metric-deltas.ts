// Turns the metrics of prom-client into messages: what counters and histograms have counted since the last message, and gauges that have changed.

import type { MetricFamily, MetricKind, MetricSample } from '../metric-messages.ts'

/** What prom-client's `metric.get()` resolves with. */
export interface CollectedMetric {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly aggregator?: string
  readonly values: readonly CollectedValue[]
}

interface CollectedValue {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  readonly exemplar?: { readonly labelSet: Readonly<Record<string, string>>; readonly value: number; readonly timestamp: number } | null
}

/** Series beyond this bound are not sent. */
const MAX_SERIES = 5000

export class MetricDeltas {
  /** The last value of each series. */
  private readonly last = new Map<string, number>()
  private readonly known = new Set<string>()
  /** Gauges of the present round, by metric. */
  private readonly gauges = new Map<string, Set<string>>()
  /** Series that were not sent, because there were too many. */
  dropped = 0

  /** `extra`: labels of the registry, for every value. undefined: nothing has changed. */
  family(metric: CollectedMetric, isOfProcess: boolean, extra: Readonly<Record<string, string>> = {}): MetricFamily | undefined {
    const { name, help, type, aggregator, values } = metric
    if (type !== 'counter' && type !== 'gauge' && type !== 'histogram' && type !== 'summary') return undefined
    const samples: MetricSample[] = []
    const seen = new Set<string>()
    for (const one of values) {
      const suffix = one.metricName?.startsWith(name) === true ? one.metricName.slice(name.length) : ''
      const labels = labelText({ ...extra, ...one.labels })
      const value = this.change(`${name}${suffix}{${labels}`, Number(one.value), isCumulative(type, suffix), seen)
      if (value !== undefined) samples.push({ suffix, labels, value, exemplar: exemplarOf(one) })
    }
    this.addRemoved(name, seen, samples)
    if (samples.length === 0 && (this.known.has(name) || values.length > 0)) return undefined
    const isFirst = !this.known.has(name)
    this.known.add(name)
    return { name, kind: type, help: isFirst ? help : undefined, aggregator, isOfProcess, samples }
  }

  /** What is sent of a series; undefined: nothing, because it has not changed. */
  private change(key: string, now: number, isCumulative: boolean, seen: Set<string>): number | undefined {
    const before = this.last.get(key)
    if (before === undefined && this.last.size >= MAX_SERIES) {
      this.dropped++
      return undefined
    }
    if (!isCumulative) seen.add(key)
    if (before !== undefined && Object.is(before, now)) return undefined
    this.last.set(key, now)
    if (!isCumulative) return now
    // A counter that has fallen was reset by the app.
    return before === undefined || now < before ? now : now - before
  }

  private addRemoved(name: string, seen: Set<string>, samples: MetricSample[]): void {
    for (const key of this.gauges.get(name) ?? []) {
      if (seen.has(key)) continue
      this.last.delete(key)
      const [head = '', ...labels] = key.split('{')
      samples.push({ suffix: head.slice(name.length), labels: labels.join('{'), value: null })
    }
    if (seen.size > 0) this.gauges.set(name, seen)
    else this.gauges.delete(name)
  }
}

/** Does the value count since the start? */
export function isCumulative(kind: MetricKind, suffix: string): boolean {
  return kind === 'counter' || kind === 'histogram' || (kind === 'summary' && suffix !== '')
}

/** Labels in the text form of Prometheus, sorted by name. */
export function labelText(labels: Readonly<Record<string, string | number>>): string {
  return Object.keys(labels)
    .sort()
    .map((name) => `${name}="${escaped(String(labels[name]))}"`)
    .join(',')
}

function escaped(value: string): string {
  return /[\\"\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"') : value
}

function exemplarOf({ exemplar }: CollectedValue): MetricSample['exemplar'] {
  if (exemplar === undefined || exemplar === null || Object.keys(exemplar.labelSet ?? {}).length === 0) return undefined
  return { labels: labelText(exemplar.labelSet), value: exemplar.value, timestampS: exemplar.timestamp }
}
