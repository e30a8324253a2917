// Passive outlier detection, in Envoy's terms (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier): a worker that does
// worse than the others is ejected for a while, longer each time. Envoy compares a host with the mean and the deviation of hundreds. A pool of workers is too
// small for deviations, so each worker is compared with the median of the others. A failure that all workers share ejects none.

import type { OutlierSettings } from '../../settings.ts'

/** What a worker did since the last interval. */
export interface OutlierSample {
  readonly id: number
  readonly requests: number
  readonly failed: number
  readonly latencyMs: number
}

/** The history of one worker. */
export interface OutlierRecord {
  /** Ejections, less the intervals in which it did well. */
  readonly times: number
  /** The end of its ejection. */
  readonly untilMs: number
}

export interface Ejection {
  readonly id: number
  readonly reason: string
  readonly forMs: number
}

export interface Judgement {
  /** By id, of the workers that have a history. */
  readonly records: ReadonlyMap<number, OutlierRecord>
  readonly ejected: readonly Ejection[]
}

const NEVER: OutlierRecord = { times: 0, untilMs: Number.NEGATIVE_INFINITY }

/** Finds the workers to eject at `nowMs`, by what all did in an interval and by their histories. The order of the samples does not matter. */
export function judgeOutliers(
  samples: readonly OutlierSample[],
  before: ReadonlyMap<number, OutlierRecord>,
  options: OutlierSettings,
  nowMs: number,
): Judgement {
  const recordOf = (id: number) => before.get(id) ?? NEVER
  const inService = samples.filter(({ id }) => recordOf(id).untilMs <= nowMs)
  const judged = inService.filter(({ requests }) => requests >= options.minRequests)
  const outliers = judged
    .map((sample) => ({
      sample,
      ...compare(
        sample,
        judged.filter((other) => other !== sample),
        options,
      ),
    }))
    .filter(({ excess }) => excess >= 1)
    .sort((one, other) => other.excess - one.excess || one.sample.id - other.sample.id)
  // One worker may always be ejected, but never all.
  const most = Math.min(samples.length - 1, Math.max(1, Math.floor(samples.length * options.maxEjectedShare)))
  const chosen = outliers.slice(0, Math.max(0, most - (samples.length - inService.length)))

  const ejected = chosen.map(({ sample: { id }, reason }) => ({ id, reason, forMs: ejectionMs(recordOf(id).times + 1, options) }))
  const records = new Map<number, OutlierRecord>()
  for (const { id } of samples) {
    const { times, untilMs } = recordOf(id)
    const ejection = ejected.find((one) => one.id === id)
    const isOutlier = outliers.some(({ sample }) => sample.id === id)
    if (ejection !== undefined) records.set(id, { times: times + 1, untilMs: nowMs + ejection.forMs })
    else if (untilMs > nowMs || isOutlier) records.set(id, { times, untilMs })
    else if (times > 1) records.set(id, { times: times - 1, untilMs })
  }
  return { records, ejected }
}

/** Would too few workers be left to serve? Then ejections are ignored. */
export function isPanic(left: number, all: number, { panicThreshold }: Pick<OutlierSettings, 'panicThreshold'>): boolean {
  return left < all * panicThreshold
}

/** By how much a worker exceeds the tolerance: it is an outlier from 1 on. */
function compare(sample: OutlierSample, others: readonly OutlierSample[], options: OutlierSettings): { excess: number; reason: string } {
  if (others.length === 0) return { excess: 0, reason: '' }
  const { errorShare, latencyFactor, latencyFloorMs } = options
  const share = errorShareOf(sample)
  const usualShare = median(others.map(errorShareOf))
  const byErrors = (share - usualShare) / errorShare
  const { latencyMs } = sample
  const usualMs = median(others.map((other) => other.latencyMs))
  const toleratedMs = latencyFactor === Number.POSITIVE_INFINITY ? latencyFactor : Math.max(latencyFloorMs, usualMs * latencyFactor)
  const byLatency = latencyMs === 0 ? 0 : latencyMs / toleratedMs
  return byErrors >= byLatency
    ? { excess: byErrors, reason: `${percent(share)} of its requests failed, of the others' ${percent(usualShare)}` }
    : { excess: byLatency, reason: `it takes ${Math.round(latencyMs)} ms for a request, the others ${Math.round(usualMs)} ms` }
}

function errorShareOf({ requests, failed }: OutlierSample): number {
  return Math.min(1, failed / requests)
}

function ejectionMs(times: number, { baseEjectionMs, maxEjectionMs }: OutlierSettings): number {
  return Math.min(baseEjectionMs * times, maxEjectionMs)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** A worker as the watch sees it. Its counts wrap at 2^32. */
export interface WatchedWorker {
  readonly id: number
  readonly load: { readonly begun: number; readonly failed: number; readonly latencyMs: number }
}

/** The outliers of one pool. */
export class OutlierWatch {
  private readonly options: OutlierSettings
  private records: ReadonlyMap<number, OutlierRecord> = new Map()
  private counts: ReadonlyMap<number, { begun: number; failed: number }> = new Map()
  private judgedMs: number | undefined
  private out: ReadonlySet<number> = new Set()

  constructor(options: OutlierSettings) {
    this.options = options
  }

  /**
   * To be called regularly with the ready workers. Judges them at the end of each interval, and ends ejections whose time is up.
   * `desired`: how many workers the pool should have. Returns the new ejections.
   */
  poll(workers: readonly WatchedWorker[], nowMs: number, desired: number = workers.length): readonly Ejection[] {
    let ejected: readonly Ejection[] = []
    if (this.judgedMs === undefined || nowMs >= this.judgedMs + this.options.intervalMs) {
      const judgement = judgeOutliers(this.samples(workers), this.records, this.options, nowMs)
      ejected = judgement.ejected
      this.records = judgement.records
      this.counts = new Map(workers.map(({ id, load: { begun, failed } }) => [id, { begun, failed }]))
      this.judgedMs = nowMs
    }
    const out = workers.filter(({ id }) => (this.records.get(id)?.untilMs ?? nowMs) > nowMs)
    const panics = isPanic(workers.length - out.length, Math.max(workers.length, desired), this.options)
    this.out = new Set(panics ? [] : out.map(({ id }) => id))
    return ejected
  }

  /** Is the worker ejected, as of the last poll? */
  isEjected(id: number): boolean {
    return this.out.has(id)
  }

  /** A worker that was not there at the last interval has no sample of its own yet: its counts start now. */
  private samples(workers: readonly WatchedWorker[]): OutlierSample[] {
    return workers.map(({ id, load: { begun, failed, latencyMs } }) => {
      const last = this.counts.get(id) ?? { begun, failed }
      return { id, requests: (begun - last.begun) >>> 0, failed: (failed - last.failed) >>> 0, latencyMs }
    })
  }
}
