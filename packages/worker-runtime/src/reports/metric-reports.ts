// Sends the metrics of this worker to the primary while it wants them: those that the app registers with prom-client once a second, those of the
// process every five seconds. What was counted since the last message is sent once more at the exit of the process.

import { setImmediate, setTimeout } from 'node:timers/promises'
import { type MetricFamily, packFamily } from '../metric-messages.ts'
import type { Runtime } from '../runtime.ts'
import { type AppMetric, appMetrics } from './app-registries.ts'
import { type CollectedMetric, MetricDeltas } from './metric-deltas.ts'
import { isOfProcess, openProcessMetrics } from './process-metrics.ts'
import type { RouteExemplars } from './route-exemplars.ts'

const INTERVAL_MS = 1000
/** Reading the state of the process costs more than reading counters. */
const PROCESS_ROUND = 5
/** The reports of one slot begin so much later than those of the slot before. */
const SLOT_MS = 80
/** A metric whose `collect` takes longer is left out of this round. */
const COLLECT_MS = 500
/** The app's requests wait no longer than this for the reports. */
const TURN_MS = 2
/** Characters of a message: the primary parses it in less than a millisecond. */
const MAX_CHARS = 16_384
/** Between two messages of one round. */
const PAUSE_MS = 10
const MAX_WARNINGS = 20
/** While the primary has not read so many bytes, nothing more is sent. */
const MAX_UNSENT = 65_536

export interface MetricReportsOptions {
  readonly runtime: Runtime
  readonly exemplars: RouteExemplars
}

/** Starts to follow what the primary wants. No timer keeps the process alive. The result sends at once what was counted since the last message. */
export function startMetricReports(options: MetricReportsOptions): () => void {
  const reports = new MetricReports(options)
  options.runtime.onMessage((message) => {
    if (message.switchyard === 'metrics') reports.setWanted(message.isWanted)
  })
  return () => reports.sendLast()
}

class MetricReports {
  private readonly options: MetricReportsOptions
  private readonly deltas = new MetricDeltas()
  /** Collected, and not sent yet: their counts are in no later family. */
  private collected: MetricFamily[] = []
  private parts: MetricFamily[][] = []
  /** Metrics whose collection has not settled. */
  private readonly collecting = new WeakSet<AppMetric>()
  private timer: NodeJS.Timeout | undefined
  private hasExitHook = false
  private isReporting = false
  private round = 0
  private readonly failed = new Set<string>()

  constructor(options: MetricReportsOptions) {
    this.options = options
  }

  setWanted(isWanted: boolean): void {
    if (!isWanted) {
      clearInterval(this.timer)
      this.options.exemplars.stop()
      this.timer = undefined
      return
    }
    if (this.timer !== undefined) return
    this.options.exemplars.start()
    const begin = () => {
      this.timer = setInterval(() => void this.report(), INTERVAL_MS).unref()
      void this.report()
    }
    // All workers of a machine would load prom-client, and later read their processes, in the same moment.
    this.timer = globalThis.setTimeout(begin, (this.options.runtime.start.slot * SLOT_MS) % (PROCESS_ROUND * INTERVAL_MS)).unref()
    if (!this.hasExitHook) process.on('exit', () => this.sendLast())
    this.hasExitHook = true
  }

  private async report(): Promise<void> {
    const { runtime, exemplars } = this.options
    if (this.isReporting || runtime.end.control.unsent > MAX_UNSENT) return
    this.isReporting = true
    try {
      await this.collect(this.round++ % PROCESS_ROUND === 0)
      const found = exemplars.take()
      this.parts = partsOf(this.collected.splice(0))
      while (this.sendPart()) await setTimeout(PAUSE_MS, undefined, { ref: false })
      if (found.length > 0) runtime.send({ switchyard: 'metrics', families: [], exemplars: found })
    } catch (error) {
      // Metrics never end a worker.
      this.warn('metrics', error)
    } finally {
      this.isReporting = false
    }
  }

  /** False: there is none. */
  private sendPart(): boolean {
    const part = this.parts.shift()
    if (part !== undefined) this.options.runtime.send({ switchyard: 'metrics', families: part, exemplars: [] })
    return part !== undefined
  }

  private async collect(withProcess: boolean): Promise<void> {
    let turnMs = performance.now()
    const all = appMetrics().map((one) => ({ ...one, ofProcess: false }))
    if (withProcess) for (const metric of await openProcessMetrics()) all.push({ metric, labels: {}, ofProcess: true })
    for (const { metric, labels, ofProcess } of all) {
      if (!ofProcess && isOfProcess(metric.name)) continue
      const collected = await this.valuesOf(metric)
      const family = collected && this.deltas.family(collected, ofProcess, labels)
      if (family !== undefined) this.collected.push(packFamily(family))
      if (performance.now() - turnMs < TURN_MS) continue
      await setImmediate(undefined, { ref: false })
      turnMs = performance.now()
    }
  }

  /** Undefined: it could not be read in time. The app's own code runs here. */
  private async valuesOf(metric: AppMetric): Promise<CollectedMetric | undefined> {
    if (this.collecting.has(metric)) return undefined
    this.collecting.add(metric)
    const values = Promise.resolve()
      .then(() => metric.get())
      .catch((error: unknown) => this.warn(`the metric ${metric.name} of the app`, error))
      .finally(() => this.collecting.delete(metric))
    if (typeof metric.collect !== 'function') return values
    return Promise.race([values, setTimeout(COLLECT_MS, undefined, { ref: false })])
  }

  private warn(what: string, error: unknown): undefined {
    if (this.failed.has(what) || this.failed.size >= MAX_WARNINGS) return
    this.failed.add(what)
    const message = `${what} can't be read: ${error}`
    this.options.runtime.send({ switchyard: 'notice', level: 'warn', message, once: true })
  }

  /** The process exits, so nothing can be awaited. */
  sendLast(): void {
    if (this.timer === undefined) return
    try {
      this.sendCounts()
    } catch {
      // The app ends as it would without metrics.
    }
  }

  private sendCounts(): void {
    for (const { metric, labels } of appMetrics()) {
      const values = isOfProcess(metric.name) ? undefined : valuesNow(metric)
      const family = values && this.deltas.family(values, false, labels)
      if (family !== undefined) this.collected.push(packFamily(family))
    }
    this.parts.push(...partsOf(this.collected.splice(0)))
    while (this.sendPart());
  }
}

/** What prom-client keeps of a counter or a histogram. */
interface Kept {
  readonly labels?: Record<string, string | number>
  readonly value?: number
  readonly bucketValues?: Readonly<Record<string, number>>
  readonly sum?: number
  readonly count?: number
}

/** The values of a counter or a histogram, without a call of the app's code; undefined for others. */
export function valuesNow({ name, help, type, aggregator, hashMap, collect }: AppMetric): CollectedMetric | undefined {
  if ((type !== 'counter' && type !== 'histogram') || hashMap === undefined || typeof collect === 'function') return undefined
  const values = (Object.values(hashMap) as Kept[]).flatMap(({ labels = {}, value, bucketValues, sum = 0, count = 0 }) => {
    if (bucketValues === undefined) return value === undefined ? [] : [{ labels, value }]
    let below = 0
    const buckets = Object.keys(bucketValues)
      .sort((one, other) => Number(one) - Number(other))
      .map((bound) => {
        below += bucketValues[bound] as number
        return { metricName: `${name}_bucket`, labels: { ...labels, le: bound }, value: below }
      })
    return [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  })
  return { name, help, type, values, ...(aggregator !== undefined && { aggregator }) }
}

/** Cuts the families into messages of at most MAX_CHARS; a single longer family is cut into several. */
export function partsOf(families: readonly MetricFamily[]): MetricFamily[][] {
  const parts: MetricFamily[][] = []
  let part: MetricFamily[] = []
  let chars = 0
  for (const family of families.flatMap(cut)) {
    const length = JSON.stringify(family).length
    if (chars + length > MAX_CHARS && part.length > 0) {
      parts.push(part)
      part = []
      chars = 0
    }
    part.push(family)
    chars += length
  }
  return part.length === 0 ? parts : [...parts, part]
}

function cut(family: MetricFamily): MetricFamily[] {
  const { samples } = family
  const count = Math.ceil(JSON.stringify(family).length / MAX_CHARS)
  if (count <= 1) return [family]
  const size = Math.ceil(samples.length / count)
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, index) => ({
    ...family,
    samples: samples.slice(index * size, (index + 1) * size),
  }))
}
