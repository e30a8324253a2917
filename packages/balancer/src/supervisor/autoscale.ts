// How many workers a pool should have, by what the loops of those it has had to do. The arithmetic is that of Kubernetes' Horizontal Pod Autoscaler
// (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/): load over target, with a tolerance around it, and down only by the
// highest load of a while. Up within seconds, for visitors wait; down slowly and one at a time, for a worker that leaves costs something too.

import type { AutoscaleSettings } from '../settings.ts'

/** Load that differs from the target by less changes nothing. */
const TOLERANCE = 0.1
/** A loop that has been in one turn for so long reports nothing meanwhile: it is taken for fully used. */
const LONG_TURN_MS = 200
const MAX_SAMPLES = 240

/** The load of a pool over a short time. */
export interface LoadSample {
  /** When that time was over. */
  readonly atMs: number
  /** Loops that it would take if each were used fully: the sum of utilisations. */
  readonly load: number
  /** Workers there were then: those that serve, and those that are coming up. */
  readonly workers: number
}

/**
 * How many workers there should be at `nowMs`: within `min` and `max`, and otherwise `workers` unless the load says something else.
 * `samples`: oldest first, of the last `downAfterMs` at least, if there are so many. Changes nothing.
 */
export function autoscale(options: AutoscaleSettings, samples: readonly LoadSample[], workers: number, nowMs: number): number {
  const { min, max, target, upAfterMs, downAfterMs } = options
  const within = (count: number) => Math.min(Math.max(count, min), max)
  const reachesBack = (ms: number) => samples[0] !== undefined && samples[0].atMs <= nowMs - ms

  if (within(workers) !== workers) return within(workers)
  const load = meanOf(samples.filter(({ atMs }) => atMs > nowMs - upAfterMs))
  if (reachesBack(upAfterMs) && load > workers * target * (1 + TOLERANCE)) return within(Math.min(workersFor(load, target), workers * 2))

  const sinceMs = nowMs - downAfterMs
  if (!reachesBack(downAfterMs) || samples.some((sample) => sample.atMs > sinceMs && sample.workers !== workers)) return workers
  return peakLoad(samples, sinceMs, upAfterMs) <= (workers - 1) * target * (1 - TOLERANCE) ? within(workers - 1) : workers
}

function workersFor(load: number, target: number): number {
  return Math.ceil(load / target - 1e-9)
}

function meanOf(samples: readonly LoadSample[]): number {
  return samples.length === 0 ? 0 : samples.reduce((sum, { load }) => sum + load, 0) / samples.length
}

/** The highest load after a moment that lasted for `windowMs`, on the average. */
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

/** A worker as it is looked at. */
export interface ScaledWorker {
  readonly state: 'starting' | 'ready' | 'draining' | 'gone'
  readonly load: { readonly utilisation: number; readonly busyMs: number }
}

/** Watches one pool. */
export class Autoscaler {
  private readonly options: AutoscaleSettings
  private readonly sampleMs: number
  private samples: LoadSample[] = []
  private sum = 0
  private looks = 0
  private sinceMs: number | undefined

  constructor(options: AutoscaleSettings) {
    this.options = options
    this.sampleMs = Math.max(options.upAfterMs / 10, options.downAfterMs / MAX_SAMPLES)
  }

  /** To be called several times a second. `wanted`: how many workers there should be so far; answers how many there should be from now on. */
  poll(workers: Iterable<ScaledWorker>, wanted: number, nowMs: number): number {
    this.sinceMs ??= nowMs
    this.sum += loadOf(workers)
    this.looks++
    if (nowMs < this.sinceMs + this.sampleMs) return wanted
    this.samples.push({ atMs: nowMs, load: this.sum / this.looks, workers: wanted })
    this.sum = 0
    this.looks = 0
    this.sinceMs = nowMs
    // One that is older stays: it shows that the others reach back far enough.
    const { upAfterMs, downAfterMs } = this.options
    const oldest = this.samples.findLastIndex(({ atMs }) => atMs <= nowMs - downAfterMs - upAfterMs)
    if (oldest > 0) this.samples = this.samples.slice(oldest)
    return autoscale(this.options, this.samples, wanted, nowMs)
  }
}

/** Who is coming up has no load yet, and who leaves takes nothing of it over. */
function loadOf(workers: Iterable<ScaledWorker>): number {
  let load = 0
  for (const { state, load: of } of workers)
    if (state === 'ready') load += of.busyMs >= LONG_TURN_MS ? 1 : Math.min(Math.max(of.utilisation, 0), 1)
  return load
}
