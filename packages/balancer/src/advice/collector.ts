// Keeps samples of the status: few, and bounded whatever the number of workers.

import { dirname, relative } from 'node:path'
import type { Settings } from '../settings.ts'
import type { BalancerStatus, PoolStatus, WorkerStatus } from '../status.ts'
import type { ConfigFacts, Observations, PoolSample, Sample, WorkerSample } from './observations.ts'

/** A quarter of an hour of samples, one every 20 s. */
export const SAMPLE_MS = 20_000
const MAX_SAMPLES = 45
export const MOST_WATCHED_MS = MAX_SAMPLES * SAMPLE_MS
const LEAST_SAMPLES = 10
/** Samples of single workers that are kept in all. */
const MAX_WORKER_SAMPLES = 5_000

export class Collector {
  private readonly samples: Sample[] = []

  /** `startMs`: of the balancer. Its counts began at 0 then. */
  constructor(startMs: number) {
    this.samples.push({ atMs: startMs, pools: [], routes: [] })
  }

  add(sample: Sample): void {
    this.samples.push(sample)
    const workers = sample.pools.reduce((sum, pool) => sum + pool.workers.length, 0)
    const most = Math.max(LEAST_SAMPLES, Math.min(MAX_SAMPLES, Math.floor(MAX_WORKER_SAMPLES / Math.max(1, workers))))
    if (this.samples.length > most) this.samples.splice(0, this.samples.length - most)
  }

  /** What is known with `now`, which is not kept. */
  read(now: Sample, config: ConfigFacts, cores: number): Observations {
    return { cores, config, samples: [...this.samples, now] }
  }
}

export function sampleOf(status: BalancerStatus, atMs: number): Sample {
  return {
    atMs,
    pools: status.pools.map(poolSample),
    routes: status.routes.map(({ route, durations }) => ({
      route,
      answered: durations.counts.reduce((sum, count) => sum + count, 0),
      durationMs: durations.sumMs,
    })),
  }
}

function poolSample({ name, queue: { waits }, workers }: PoolStatus): PoolSample {
  return {
    name,
    waits: waits.counts.reduce((sum, count) => sum + count, 0),
    waitedMs: waits.sumMs,
    workers: workers.filter(({ state }) => state === 'ready' || state === 'draining').map(workerSample),
  }
}

function workerSample({ slot, pid, state, inStateMs, begun, load, sessions, observed }: WorkerStatus): WorkerSample {
  return {
    slot,
    pid,
    isReady: state === 'ready',
    readyMs: state === 'ready' ? inStateMs : 0,
    begun,
    inFlight: load.inFlight,
    utilisation: load.utilisation,
    memoryBytes: load.memoryBytes,
    sessions: sessions && { kind: sessions.kind, commands: sessions.commands, failed: sessions.failed },
    observed,
  }
}

/** `routeNames`: in the order in which workers number them. */
export function factsOf({ file, pools, trustedProxies }: Settings, routes: ConfigFacts['routes']): ConfigFacts {
  const folder = file === undefined ? process.cwd() : dirname(file)
  return {
    hasFile: file !== undefined,
    pools: pools.map(({ name, app, listens, schedule, autoscale, concurrency, memory }) => ({
      name,
      app: withDot(relative(folder, app)),
      listens,
      isScheduled: schedule !== undefined,
      isAutoscaled: autoscale !== undefined,
      concurrency,
      softMemoryBytes: memory.softBytes,
    })),
    routes,
    trustedProxies,
  }
}

function withDot(path: string): string {
  return path.startsWith('..') || path.startsWith('/') ? path : `./${path}`
}
