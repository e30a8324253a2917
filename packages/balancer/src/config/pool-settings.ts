// What one pool's config means, with every default filled in.

import { resolve } from 'node:path'
import type { AutoscaleSettings, LimitSettings, PoolSettings } from '../settings.ts'
import type { AutoscaleConfig, HealthProbeConfig, PoolConfig } from './config.ts'
import {
  defaultAutoscale,
  defaultDrainReturnMs,
  defaultDrainSpreadMs,
  defaultHealthWhen,
  defaultOutliers,
  defaultQueue,
  defaultReadyWhen,
  defaultReload,
  defaultSlotVariable,
  defaultSlowStart,
  defaultStatus,
  withDefaults,
} from './defaults.ts'
import { bytesOf } from './sizes.ts'
import { findGroup, findUser, type UserSource } from './users.ts'

export interface PoolContext {
  /** What relative paths start from. */
  folder: string
  cpus: () => number
  users: UserSource
  limits: LimitSettings
}

/** Settings of a checked pool; `app` is the path of its entry file. */
export function poolSettings(name: string, pool: PoolConfig, app: string, { folder, cpus, users, limits }: PoolContext): PoolSettings {
  const env = Object.entries(pool.env ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const autoscale = autoscaleOf(pool.autoscale, cpus)
  const { soft, hard } = pool.maxMemory ?? {}
  return {
    name,
    app,
    args: pool.args ?? [],
    execArgv: pool.execArgv ?? [],
    cwd: resolve(folder, pool.cwd ?? '.'),
    env: Object.fromEntries(env),
    slotVariable: pool.slotVariable === false ? undefined : (pool.slotVariable ?? defaultSlotVariable),
    onOutage: pool.onOutage ?? 'retry',
    workers: workersOf(pool.workers, autoscale, cpus),
    concurrency: pool.concurrency ?? Number.POSITIVE_INFINITY,
    queueLimit: pool.queue?.limit ?? defaultQueue.limit,
    rest: pool.rest ?? 'auto',
    queueTimeoutMs: pool.queue?.timeoutMs ?? defaultQueue.timeoutMs,
    weights: pool.weights ?? [],
    slowStart: slowStartOf(pool.slowStart),
    reload: withDefaults(defaultReload, pool.reload),
    memory: { softBytes: bytesOf(soft) ?? Number.POSITIVE_INFINITY, hardBytes: bytesOf(hard) ?? Number.POSITIVE_INFINITY },
    maxRequests: pool.maxRequests ?? Number.POSITIVE_INFINITY,
    maxAgeMs: pool.maxAgeMs ?? Number.POSITIVE_INFINITY,
    nice: pool.nice,
    ...ownerOf(pool, users),
    readyWhen: probeOf(pool.readyWhen, defaultReadyWhen),
    healthWhen: probeOf(pool.healthWhen, defaultHealthWhen),
    outliers: pool.outliers ? withDefaults(defaultOutliers, pool.outliers === true ? {} : pool.outliers) : undefined,
    autoscale,
    maxConnectionAgeMs: pool.maxConnectionAgeMs ?? Number.POSITIVE_INFINITY,
    drainSpreadMs: pool.drainSpreadMs ?? Math.min(defaultDrainSpreadMs, limits.drainTimeoutMs),
    drainReturnMs: pool.drainReturnMs ?? Math.min(defaultDrainReturnMs, limits.drainTimeoutMs),
    stopSignal: pool.stopSignal,
    stopTimeoutMs: pool.stopTimeoutMs,
  }
}

function workersOf(workers: PoolConfig['workers'], autoscale: AutoscaleSettings | undefined, cpus: () => number): number {
  if (autoscale === undefined) return typeof workers === 'number' ? workers : cpus()
  return workers === 'max' ? Math.min(Math.max(cpus(), autoscale.min), autoscale.max) : (workers ?? autoscale.min)
}

function autoscaleOf(config: AutoscaleConfig | undefined, cpus: () => number): AutoscaleSettings | undefined {
  if (config === undefined) return undefined
  const { max, ...rest } = config
  const settings = withDefaults(defaultAutoscale, rest)
  return { ...settings, max: typeof max === 'number' ? max : Math.max(settings.min, cpus()) }
}

/** Numbers of the names; the group of a user goes along with it. */
function ownerOf({ uid, gid }: PoolConfig, users: UserSource): Pick<PoolSettings, 'uid' | 'gid'> {
  const user = uid === undefined ? undefined : findUser(uid, users)
  return {
    uid: typeof uid === 'number' ? uid : user?.uid,
    gid: typeof gid === 'string' ? findGroup(gid, users) : (gid ?? user?.gid),
  }
}

function probeOf<D extends object>(config: string | HealthProbeConfig | undefined, defaults: D) {
  if (config === undefined) return undefined
  const full: HealthProbeConfig = typeof config === 'string' ? { path: config } : config
  const { path, status = defaultStatus, headers = {}, ...rest } = full
  const range = typeof status === 'number' ? ([status, status] as const) : status
  return { ...withDefaults(defaults, rest as Partial<D>), path, status: range, headers }
}

function slowStartOf(config: PoolConfig['slowStart']): PoolSettings['slowStart'] {
  if (config === undefined) return undefined
  const { windowMs, from = defaultSlowStart.from, aggression = defaultSlowStart.aggression } = config
  return { windowMs, from, aggression }
}
