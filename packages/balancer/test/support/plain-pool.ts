// The settings of a pool without anything special.

import type { PoolSettings } from '../../src/settings.ts'

export function plainPool(changes: Partial<PoolSettings> = {}): PoolSettings {
  return {
    name: 'web',
    app: '',
    args: [],
    execArgv: [],
    sourceMaps: true,
    cwd: '',
    env: {},
    slotVariable: undefined,
    onOutage: 'retry',
    workers: 1,
    queueLimit: 2,
    rest: 'auto',
    queueTimeoutMs: 100,
    concurrency: Number.POSITIVE_INFINITY,
    weights: [],
    slowStart: undefined,
    reload: { maxSurge: 1, settleMs: 0 },
    memory: { softBytes: Number.POSITIVE_INFINITY, hardBytes: Number.POSITIVE_INFINITY },
    maxRequests: Number.POSITIVE_INFINITY,
    maxAgeMs: Number.POSITIVE_INFINITY,
    nice: undefined,
    uid: undefined,
    gid: undefined,
    readyWhen: undefined,
    healthWhen: undefined,
    outliers: undefined,
    autoscale: undefined,
    maxConnectionAgeMs: Number.POSITIVE_INFINITY,
    drainSpreadMs: 0,
    drainReturnMs: 1000,
    stopSignal: undefined,
    stopTimeoutMs: undefined,
    ...changes,
  }
}
