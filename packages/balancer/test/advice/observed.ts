// Builds observations of a balancer with one pool: a quiet one, with changes.

import type { WorkerObservations } from '@switchyard/worker-runtime'
import type { ConfigFacts, Observations, PoolFacts, PoolSample, Sample, WorkerSample } from '../../src/advice/observations.ts'

export const MINUTE = 60_000
export const MIB = 1024 ** 2

export const web: PoolFacts = {
  name: 'web',
  app: './server.js',
  listens: true,
  isScheduled: false,
  isAutoscaled: false,
  concurrency: Number.POSITIVE_INFINITY,
  softMemoryBytes: Number.POSITIVE_INFINITY,
}

export const config: ConfigFacts = {
  hasFile: true,
  pools: [web],
  routes: [{ name: '(everything else)', pool: 'web' }],
  trustedProxies: [],
}

export const nothing: WorkerObservations = {
  ...{ blocking: [], sampled: 0, otherPaths: 0, proxies: [], changingKeys: [], lostSessions: undefined },
}

export function worker(slot: number, changes: Partial<WorkerSample> = {}): WorkerSample {
  return {
    slot,
    pid: 100 + slot,
    isReady: true,
    readyMs: 10 * MINUTE,
    begun: 0,
    inFlight: 0,
    utilisation: 0,
    memoryBytes: 100 * MIB,
    sessions: null,
    observed: null,
    ...changes,
  }
}

export function pool(workers: readonly WorkerSample[], changes: Partial<PoolSample> = {}): PoolSample {
  return { name: 'web', waits: 0, waitedMs: 0, workers, ...changes }
}

/** A sample in which the route `(everything else)` has answered so many requests, each in `eachMs`. */
export function sample(atMs: number, pools: readonly PoolSample[], answered = 0, eachMs = 1): Sample {
  return { atMs, pools, routes: [{ route: '(everything else)', answered, durationMs: answered * eachMs }] }
}

export const started: Sample = { atMs: 0, pools: [], routes: [] }

/** From the start of the balancer, on two cores. */
export function observations(samples: readonly Sample[], changes: Partial<Observations> = {}): Observations {
  return { cores: 2, config, samples: [started, ...samples], ...changes }
}
