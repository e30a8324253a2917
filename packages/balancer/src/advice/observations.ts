// What advice is computed from: facts of the config, and samples of the status over the last quarter of an hour. Plain data.

import type { WorkerObservations } from '@switchyard/worker-runtime'

export interface PoolFacts {
  readonly name: string
  /** As a config in the same folder would name it. */
  readonly app: string
  readonly listens: boolean
  readonly isScheduled: boolean
  readonly isAutoscaled: boolean
  /** Infinity: no limit. */
  readonly concurrency: number
  /** Infinity: no limit. */
  readonly softMemoryBytes: number
}

export interface ConfigFacts {
  /** false: the balancer was started without a config file. */
  readonly hasFile: boolean
  readonly pools: readonly PoolFacts[]
  /** Names of the routes, and their pools. */
  readonly routes: readonly { readonly name: string; readonly pool: string }[]
  readonly trustedProxies: readonly string[]
}

export interface WorkerSample {
  readonly slot: number
  readonly pid: number
  readonly isReady: boolean
  /** Time since it was ready. */
  readonly readyMs: number
  /** Requests since its start. */
  readonly begun: number
  readonly inFlight: number
  /** Share of time, 0 to 1. */
  readonly utilisation: number
  readonly memoryBytes: number
  /** Of the session store, since its start. */
  readonly sessions: { readonly kind: 'embedded' | 'redis'; readonly commands: number; readonly failed: number } | null
  readonly observed: WorkerObservations | null
}

export interface PoolSample {
  readonly name: string
  /** Connections that waited for a worker, since the start of the balancer. */
  readonly waits: number
  readonly waitedMs: number
  readonly workers: readonly WorkerSample[]
}

export interface RouteSample {
  readonly route: string
  /** Answered requests and their durations, since the start of the balancer. */
  readonly answered: number
  readonly durationMs: number
}

export interface Sample {
  /** Of a clock that does not jump. */
  readonly atMs: number
  readonly pools: readonly PoolSample[]
  readonly routes: readonly RouteSample[]
}

export interface Observations {
  /** Cores that the balancer may use. */
  readonly cores: number
  readonly config: ConfigFacts
  /** The oldest first; at least one. */
  readonly samples: readonly Sample[]
}
