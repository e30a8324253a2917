// Finds the registries of prom-client that the app uses: the default one of each copy that the app has loaded, and those that it shares.

import { createRequire } from 'node:module'
import type { CollectedMetric } from './metric-deltas.ts'

/** The part of prom-client's `Metric` that is used. */
export interface AppMetric {
  readonly name: string
  readonly help: string
  readonly type?: string
  readonly aggregator?: string
  readonly collect?: unknown
  /** Private to prom-client: read at the exit of the process, when nothing can be awaited. */
  readonly hashMap?: Readonly<Record<string, unknown>>
  get(): Promise<CollectedMetric> | CollectedMetric
}

/** A registry of prom-client. */
export interface MetricRegistry {
  getMetricsAsArray(): readonly unknown[]
}

const INDEX = /[\\/]prom-client[\\/]index\.js$/
const MAX_REGISTRIES = 16

const shared = new Set<MetricRegistry>()

/**
 * Adds a registry of prom-client to those whose metrics the balancer serves. The default registry is found by itself, unless the app is bundled into
 * one file. Throws TypeError if it is no registry.
 */
export function shareMetrics(registry: MetricRegistry): void {
  if (typeof registry?.getMetricsAsArray !== 'function') throw new TypeError('shareMetrics expects a registry of prom-client')
  if (shared.size < MAX_REGISTRIES) shared.add(registry)
}

/** The metrics of all registries, each with its registry's labels. */
export function appMetrics(): { metric: AppMetric; labels: Readonly<Record<string, string>> }[] {
  return [...new Set([...shared, ...defaultRegistries()])].slice(0, MAX_REGISTRIES).flatMap((registry) => {
    const labels = (registry as { _defaultLabels?: Record<string, string> })._defaultLabels ?? {}
    return (registry.getMetricsAsArray() as AppMetric[]).map((metric) => ({ metric, labels }))
  })
}

let cachedAt = -1
let found: MetricRegistry[] = []

/** Looks again only when the app has loaded more modules. */
function defaultRegistries(): MetricRegistry[] {
  const { cache } = createRequire(import.meta.url)
  const files = Object.keys(cache)
  if (files.length === cachedAt) return found
  cachedAt = files.length
  found = files.flatMap((file) => {
    const registry = INDEX.test(file) ? (cache[file]?.exports as { register?: MetricRegistry } | undefined)?.register : undefined
    return typeof registry?.getMetricsAsArray === 'function' ? [registry] : []
  })
  return found
}
