// The metrics of the primary's own process, under prom-client's usual names. prom-client is loaded at the first scrape.

import { labelsText, type TextFamily, type TextSample } from './metric-text.ts'

/** Gauges of prom-client with names of counters, which `promtool check metrics` rejects. Each is the sum of the metric without the suffix. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

interface Metric {
  get(): Promise<{
    readonly name: string
    readonly help: string
    readonly type: unknown
    readonly values: readonly { readonly metricName?: string; readonly labels: Record<string, string | number>; readonly value: number }[]
  }>
}

export class ProcessFamilies {
  private metrics: Promise<readonly Metric[]> | undefined

  /** Measures from the first call on. */
  async read(): Promise<(TextFamily & { readonly samples: readonly TextSample[] })[]> {
    this.metrics ??= open()
    return Promise.all(
      (await this.metrics).map(async (metric) => {
        const { name, help, type, values } = await metric.get()
        const samples = values.map(({ metricName = name, labels, value }) => ({
          suffix: metricName.slice(name.length),
          labels: labelsText(labels),
          value,
        }))
        return { name, help, type: String(type), samples }
      }),
    )
  }
}

async function open(): Promise<readonly Metric[]> {
  const library = await import('prom-client')
  // In a bundle a CommonJS module has a default export only.
  const { collectDefaultMetrics, Registry } = (library as unknown as { readonly default?: typeof library }).default ?? library
  const registry = new Registry()
  // They sample the event loop a hundred times a second.
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  return registry.getMetricsAsArray() as unknown as readonly Metric[]
}
