// Computes how many workers a pool should have from the utilisation of their event loops. The algorithm is that of Kubernetes' Horizontal Pod
// Autoscaler (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/): load over target with a tolerance, and down only by the
// highest load of a window. Workers are added within seconds, since clients wait, and removed slowly, since a removal has a cost too.

import type { AutoscaleSettings } from '../../settings.ts'

/** A smaller relative difference from the target changes nothing. */
const TOLERANCE = 0.1
/** A loop that is busy with one turn for this long can't report: it counts as fully used. */
const LONG_TURN_MS = 200
const MAX_SAMPLES = 240

/** The load of a pool over a short time. */
export interface LoadSample {
  /** The end of that time. */
  readonly atMs: number
  /** The sum of the utilisations of the workers' loops, each 0 to 1. */
  readonly load: number
  /** The desired number of workers at that time. */
  readonly workers: number
}

/**
 * How many workers there should be at `nowMs`, between `min` and `max`. Returns `workers` if the load calls for no change.
 * `samples` are ordered oldest first and should cover the last `downAfterMs`. Pure.
 */
export function autoscale(options: AutoscaleSettings, samples: readonly LoadSample[], workers: number, nowMs: number): number {
  const { min, max, target, upAfterMs, downAfterMs } = options
  const clamp = (count: number) => Math.min(Math.max(count, min), max)
  const reachesBack = (ms: number) => samples[0] !== undefined && samples[0].atMs <= nowMs - ms

  if (clamp(workers) !== workers) return clamp(workers)
  const load = meanOf(samples.filter(({ atMs }) => atMs > nowMs - upAfterMs))
  if (reachesBack(upAfterMs) && load > workers * target * (1 + TOLERANCE)) return clamp(Math.min(workersFor(load, target), workers * 2))

  const sinceMs = nowMs - downAfterMs
  if (!reachesBack(downAfterMs) || samples.some((sample) => sample.atMs > sinceMs && sample.workers !== workers)) return workers
  return peakLoad(samples, sinceMs, upAfterMs) <= (workers - 1) * target * (1 - TOLERANCE) ? clamp(workers - 1) : workers
}

function workersFor(load: number, target: number): number {
  return Math.ceil(load / target - 1e-9)
}

function meanOf(samples: readonly LoadSample[]): number {
  return samples.length === 0 ? 0 : samples.reduce((sum, { load }) => sum + load, 0) / samples.length
}

/** The highest moving average of the load, over `windowMs`, since `sinceMs`. */
function peakLoad(samples: readonly LoadSample[], sinceMs: number, windowMs: number): number {
  let peak = 0
  let sum = 0
  let first = 0
  samples.forEach(({ atMs, load }, index) => {
    sum += load
    for (; (samples[first] as LoadSample).atMs <= atMs - windowMs; first++) sum -= (samples[first] as LoadSample).load
    if (atMs > sinceMs) peak = Math.max(peak, sum / (index - first + 1))
  })
  return peak
}

/** What scaling needs to know of a worker. */
export interface ScaledWorker {
  readonly state: 'starting' | 'ready' | 'draining' | 'gone'
  readonly load: { readonly utilisation: number; readonly busyMs: number }
}

/** Samples the load of one pool. */
export class Autoscaler {
  private readonly options: AutoscaleSettings
  private readonly sampleMs: number
  private samples: LoadSample[] = []
  private sum = 0
  private polls = 0
  private sinceMs: number | undefined

  constructor(options: AutoscaleSettings) {
    this.options = options
    this.sampleMs = Math.max(options.upAfterMs / 10, options.downAfterMs / MAX_SAMPLES)
  }

  /** Call it several times a second. `desired` is the desired number of workers so far; returns the new one. */
  poll(workers: Iterable<ScaledWorker>, desired: number, nowMs: number): number {
    this.sinceMs ??= nowMs
    this.sum += loadOf(workers)
    this.polls++
    if (nowMs < this.sinceMs + this.sampleMs) return desired
    this.samples.push({ atMs: nowMs, load: this.sum / this.polls, workers: desired })
    this.sum = 0
    this.polls = 0
    this.sinceMs = nowMs
    // One older sample stays, to show that the others reach back far enough.
    const { upAfterMs, downAfterMs } = this.options
    const oldest = this.samples.findLastIndex(({ atMs }) => atMs <= nowMs - downAfterMs - upAfterMs)
    if (oldest > 0) this.samples = this.samples.slice(oldest)
    return autoscale(this.options, this.samples, desired, nowMs)
  }
}

/** The load of the ready workers. A starting worker has none yet, and a draining one takes no more. */
function loadOf(workers: Iterable<ScaledWorker>): number {
  let load = 0
  for (const { state, load: row } of workers)
    if (state === 'ready') load += row.busyMs >= LONG_TURN_MS ? 1 : Math.min(Math.max(row.utilisation, 0), 1)
  return load
}
