// The numbers a config may leave out. docs/configuration.md gives the reason of each.

import type { AutoscaleSettings, LimitSettings, OutlierSettings, ReloadSettings } from '../settings.ts'

export const defaultLimits: LimitSettings = {
  maxHeadBytes: undefined,
  headTimeoutMs: 10_000,
  maxUnrouted: 10_000,
  maxUnroutedPerAddress: 4_096,
  descriptorShare: 0.9,
  lingerTimeoutMs: 2_000,
  maxResting: 10_000,
  maxLearned: 100_000,
  learnedTtlMs: 86_400_000,
  forwardTimeoutMs: 5_000,
  startTimeoutMs: 10_000,
  drainTimeoutMs: 30_000,
  restartDelayMs: 100,
  maxRestartDelayMs: 30_000,
  maxRestarts: 30,
  restartWindowMs: 900_000,
  hangTimeoutMs: 30_000,
  maxListeners: 64,
  listenerGraceMs: 10_000,
  shutdownDelayMs: 0,
}

/** As PM2 calls it. */
export const defaultSlotVariable = 'NODE_APP_INSTANCE'

export const defaultQueue = { limit: 1_024, timeoutMs: 5_000 }

/** Of what a slow start leaves out. */
export const defaultSlowStart = { from: 0.1, aggression: 1 }

export const defaultReload: ReloadSettings = { maxSurge: 1, settleMs: 1_500 }

/** Of what a probe leaves out besides its `status`. */
export const defaultReadyWhen = { intervalMs: 250, timeoutMs: 1_000 }

/** It is patient: a worker that computes for seconds is busy, not sick. */
export const defaultHealthWhen = { intervalMs: 10_000, timeoutMs: 5_000, failures: 3 }

export const defaultStatus: readonly [number, number] = [200, 399]

export const defaultOutliers: OutlierSettings = {
  intervalMs: 10_000,
  minRequests: 50,
  errorShare: 0.2,
  latencyFactor: 5,
  latencyFloorMs: 100,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectedShare: 0.3,
  panicThreshold: 0.5,
}

/** `max` is what the machine has. */
export const defaultAutoscale: Omit<AutoscaleSettings, 'max'> = { min: 1, target: 0.7, upAfterMs: 5_000, downAfterMs: 60_000 }

/** Or `drainTimeoutMs`, if that is less. */
export const defaultDrainSpreadMs = 5_000

/** The same. */
export const defaultDrainReturnMs = 1_000

export const defaultAdmin = { host: '127.0.0.1', port: 9400 }

/** Name of the pool when the config names none. */
export const defaultPoolName = 'web'

/** What is written, and the defaults for what is not, or is undefined. */
export function withDefaults<D extends object>(defaults: D, config: { [Name in keyof D]?: D[Name] | undefined } = {}): D {
  return { ...defaults, ...Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) }
}
