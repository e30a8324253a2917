// The metrics of this process under prom-client's usual names, from prom-client itself. It is loaded when the primary first wants them.

import type { AppMetric } from './app-registries.ts'

/** Names that belong to the process. An app that registers them too is not asked: reading them would reset its delays of the event loop. */
export function isOfProcess(name: string): boolean {
  return /^(?:process_(?:cpu_|start_time_|resident_|virtual_|heap_bytes$|open_fds$|max_fds$)|nodejs_)/.test(name)
}

/** Gauges of prom-client with names of counters, which `promtool check metrics` rejects. Each is the sum of the metric without the suffix. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

let metrics: Promise<readonly AppMetric[]> | undefined

/** Measures from the first call on. */
export function openProcessMetrics(): Promise<readonly AppMetric[]> {
  metrics ??= load()
  return metrics
}

async function load(): Promise<readonly AppMetric[]> {
  const library = await import('prom-client')
  // In a bundle a CommonJS module has a default export only.
  const { collectDefaultMetrics, Registry } = (library as unknown as { readonly default?: typeof library }).default ?? library
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  return registry.getMetricsAsArray() as unknown as readonly AppMetric[]
}
