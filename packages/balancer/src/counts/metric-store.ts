// Keeps the metrics that workers push: of their apps and of their processes. Workers send them only while the page is scraped.

import type { MetricFamily, RouteExemplar, ToWorker } from '@switchyard/worker-runtime'
import { type SeriesBudget, type SeriesSource, StoredFamily } from './metric-family.ts'
import { RouteExemplarTable } from './route-exemplar-table.ts'

/** A worker that can be told what is wanted. */
export interface MetricSource extends SeriesSource {
  readonly routeNames: readonly string[]
  send(message: ToWorker): void
}

const MAX_FAMILIES = 2000
const MAX_SERIES = 50_000
/** Without a scrape for so long, workers are told to stop. */
const UNWANTED_MS = 600_000
/** Names of the balancer itself. */
const RESERVED = /^switchyard_/

export class MetricStore {
  readonly exemplars = new RouteExemplarTable()
  private readonly workers: () => Iterable<MetricSource>
  private readonly byName = new Map<string, StoredFamily>()
  private readonly budget: SeriesBudget = { left: MAX_SERIES, dropped: 0 }
  private unwantedTimer: NodeJS.Timeout | undefined

  /** `workers`: those that are not gone. */
  constructor(workers: () => Iterable<MetricSource>) {
    this.workers = workers
  }

  /** Values that were not taken: there are too many series, or their metric has another type in another worker. */
  get dropped(): number {
    return this.budget.dropped
  }

  families(): Iterable<StoredFamily> {
    return this.byName.values()
  }

  /** The page is scraped: workers send from now on. */
  want(): void {
    if (this.unwantedTimer === undefined) for (const worker of this.workers()) worker.send({ switchyard: 'metrics', isWanted: true })
    clearTimeout(this.unwantedTimer)
    this.unwantedTimer = setTimeout(() => this.stop(), UNWANTED_MS)
    this.unwantedTimer.unref()
  }

  /** A worker has started. */
  greet(worker: MetricSource): void {
    if (this.unwantedTimer !== undefined) worker.send({ switchyard: 'metrics', isWanted: true })
  }

  receive(worker: MetricSource, families: readonly MetricFamily[], exemplars: readonly RouteExemplar[]): void {
    for (const family of families) {
      const stored = this.familyFor(family)
      if (stored === undefined) this.budget.dropped += family.samples.length
      else stored.add(worker, family.samples)
    }
    this.exemplars.add(worker.routeNames, exemplars)
  }

  /** The worker is gone. */
  forget(worker: SeriesSource): void {
    for (const family of this.byName.values()) family.forget(worker)
  }

  private stop(): void {
    this.unwantedTimer = undefined
    for (const worker of this.workers()) worker.send({ switchyard: 'metrics', isWanted: false })
  }

  private familyFor(family: MetricFamily): StoredFamily | undefined {
    const { name, kind, help } = family
    const known = this.byName.get(name)
    if (known !== undefined) {
      if (known.help === '' && help !== undefined) known.help = help
      return known.kind === kind ? known : undefined
    }
    if (RESERVED.test(name) || this.byName.size >= MAX_FAMILIES) return undefined
    const stored = new StoredFamily(family, this.budget)
    this.byName.set(name, stored)
    return stored
  }
}
