// The metrics of the primary's own process, under prom-client's usual names. prom-client is loaded at the first scrape.

import { openProcessMetrics } from '@switchyard/worker-runtime'
import { labelsText, type TextFamily, type TextSample } from './metric-text.ts'

export class ProcessFamilies {
  /** Measures from the first call on. */
  async read(): Promise<(TextFamily & { readonly samples: readonly TextSample[] })[]> {
    return Promise.all(
      (await openProcessMetrics()).map(async (metric) => {
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
