// The numbers a config may leave out. docs/configuration.md gives the reason of each.

import type { LimitSettings } from '../settings.ts'

export const defaultLimits: LimitSettings = {
  maxHeadBytes: 16_384,
  headTimeoutMs: 10_000,
  maxUnrouted: 10_000,
  maxUnroutedPerAddress: 4_096,
  descriptorShare: 0.9,
  lingerTimeoutMs: 2_000,
  maxResting: 10_000,
  forwardTimeoutMs: 5_000,
  startTimeoutMs: 10_000,
  drainTimeoutMs: 30_000,
  restartDelayMs: 100,
  maxRestartDelayMs: 30_000,
  shutdownDelayMs: 0,
}

export const defaultQueue = { limit: 1_024, timeoutMs: 5_000 }

/** Of what a slow start leaves out. */
export const defaultSlowStart = { from: 0.1, aggression: 1 }

export const defaultAdmin = { host: '127.0.0.1', port: 9400 }

/** Name of the pool when the config names none. */
export const defaultPoolName = 'web'
