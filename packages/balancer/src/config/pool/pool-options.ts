// `pools`: the options of a pool that have no file of their own, and the settings of a whole pool.

import { resolve } from 'node:path'
import type { RestMode } from '@switchyard/worker-runtime'
import * as v from 'valibot'
import { APP_STOP_SIGNALS, type AppStopSignal, type LimitSettings, type PoolSettings, type ReloadSettings } from '../../settings.ts'
import { boundFaults, type Fault, formatPath, type Loose, looseOf, orderFaults } from '../faults.ts'
import { defaultLimits } from '../limit-options.ts'
import {
  bytesOf,
  countFromZero,
  countOrMax,
  defaultsOf,
  expected,
  flag,
  milliseconds,
  type Options,
  positive,
  type SizeConfig,
  schemasOf,
  shape,
  share,
  size,
  text,
  texts,
  variableName,
  whole,
  withDefaults,
} from '../schema.ts'
import { type AutoscaleConfig, autoscale, autoscaleEntries, autoscaleFaults, autoscaleSettings, workerCount } from './autoscale-options.ts'
import { type JobConfig, jobEntries, jobFaults, jobSettings } from './job-options.ts'
import { type OutlierConfig, outlierEntries, outlierFaults, outlierSettings, outliers } from './outlier-options.ts'
import {
  defaultHealthWhen,
  defaultReadyWhen,
  type HealthProbeConfig,
  healthEntries,
  healthWhen,
  type ProbeConfig,
  probeSettings,
  READY_MESSAGE,
  readyEntries,
  readyWhen,
} from './probe-options.ts'
import { type UpstreamConfig, upstream, upstreamEntries, upstreamFaults, upstreamSettings } from './upstream-options.ts'
import { gid, type UserSource, uid, userFaults, workerUser } from './worker-user.ts'

export interface QueueConfig {
  /** Connections that may wait for a worker of this pool. Default 1024. */
  limit?: number | undefined
  /** How long a connection may wait. Default 5000. */
  timeoutMs?: number | undefined
}

/** How a new worker gets its share of the load gradually. */
export interface SlowStartConfig {
  /** How long it takes. */
  windowMs: number
  /** The part of its weight that the worker starts with, above 0, at most 1. Default 0.1. */
  from?: number | undefined
  /** 1: the weight grows evenly; more: fast at first; less: slowly at first. Default 1. */
  aggression?: number | undefined
}

/** How a reload replaces workers. */
export interface ReloadConfig {
  /** Workers of a pool that are replaced at the same time. Default 1. */
  maxSurge?: number | undefined
  /** How long a new worker that listens must stay up before it counts as ready. Default 1500. */
  settleMs?: number | undefined
}

/** Limits of a worker's resident memory. Left out: no limit. */
export interface MemoryConfig {
  /** Above it the worker is replaced, one worker at a time. */
  soft?: SizeConfig | undefined
  /** Above it the worker is killed. */
  hard?: SizeConfig | undefined
}

/** A named set of workers that run one app. */
export interface PoolConfig extends JobConfig {
  /** How many workers. `'max'`: one for each core that this process may use. Default `'max'`; with `autoscale` its `min`. */
  workers?: number | 'max' | undefined
  /** Entry file. Default: the app of the config. */
  app?: string | undefined
  /** The workers are proxies for these servers, in place of an app: a list of URLs, or an object with `servers`. */
  upstream?: readonly string[] | UpstreamConfig | undefined
  /** Arguments of the app. */
  args?: readonly string[] | undefined
  /** Options of Node itself, such as `--max-old-space-size=512`. */
  execArgv?: readonly string[] | undefined
  /** Stack traces name the lines of the sources of compiled code, where its source maps are. Default true. */
  sourceMaps?: boolean | undefined
  /** Working directory of the workers. Default: the folder of the config file. */
  cwd?: string | undefined
  /** Added to the environment of the balancer. */
  env?: Readonly<Record<string, string | undefined>> | undefined
  /** A second environment variable, besides `SWITCHYARD_SLOT`, with the worker's slot. Default `NODE_APP_INSTANCE`, as in PM2; `false`: none. */
  slotVariable?: string | false | undefined
  /**
   * What happens when every slot has failed too often and no worker serves. `'retry'`, the default: one worker is started from time to time.
   * `'not-live'`: the same, and `/livez` answers 503. `'exit'`: the balancer exits.
   */
  onOutage?: 'retry' | 'not-live' | 'exit' | undefined
  /** Most requests in flight in one worker; further ones wait in the queue. Left out: no limit. */
  concurrency?: number | undefined
  queue?: QueueConfig | undefined
  /** The workers' shares of the load relative to each other, by slot; slots beyond the list have 1. Default `[]`. */
  weights?: readonly number[] | undefined
  /** Left out: a new worker has its whole share at once. */
  slowStart?: SlowStartConfig | undefined
  /** When idle kept-alive connections return to the primary to be routed afresh. `'auto'`, the default: when requests are heavy enough for it to pay. */
  rest?: RestMode | undefined
  reload?: ReloadConfig | undefined
  maxMemory?: MemoryConfig | undefined
  /** Requests after which a worker is replaced, plus or minus a tenth. Left out: never. */
  maxRequests?: number | undefined
  /** Age at which a worker is replaced, plus or minus a tenth. Left out: never. */
  maxAgeMs?: number | undefined
  /** Scheduling priority, -20 (served first) to 19. Default: that of the balancer. */
  nice?: number | undefined
  /** The user that the workers run as, by number or name; the balancer must be root. Default: that of the balancer. */
  uid?: number | string | undefined
  /** Their group. Default: the group of that user. */
  gid?: number | string | undefined
  /**
   * A path or a probe: a new worker is ready when it answers. `'message'`: when its app calls `process.send('ready')`. Left out: when its app
   * listens, or has started if the pool does not listen.
   */
  readyWhen?: string | ProbeConfig | undefined
  /** A path or a probe: a worker that no longer answers is replaced. Left out: no probes. */
  healthWhen?: string | HealthProbeConfig | undefined
  /** Workers that do worse than the others get no requests for a while. Default false. */
  outliers?: boolean | OutlierConfig | undefined
  /** Left out: the number of workers is fixed. */
  autoscale?: AutoscaleConfig | undefined
  /** Age at which a connection moves to a newly picked worker, or closes, plus or minus a tenth. Left out: never. */
  maxConnectionAgeMs?: number | undefined
  /**
   * The time over which a draining worker closes its websockets, one after the other, and in which clients of HTTP/2 read that their connection ends.
   * Default 5000, or `drainTimeoutMs` if that is less.
   */
  drainSpreadMs?: number | undefined
  /** Where tickets bring visitors back: a draining worker ends after this time without a visit. Default 1000, or `drainTimeoutMs` if that is less. */
  drainReturnMs?: number | undefined
  /** The signal that ends the app after its worker has drained. Default `'SIGTERM'`, or `'SIGINT'` if the app listens only for that. */
  stopSignal?: AppStopSignal | undefined
  /** How long the app may take to end after that signal. Default: the rest of `drainTimeoutMs`, and at least 5000. */
  stopTimeoutMs?: number | undefined
}

/** Name of the only pool when the config names none. */
export const DEFAULT_POOL_NAME = 'web'

/** The name by which apps written for PM2 read it. */
const DEFAULT_SLOT_VARIABLE = 'NODE_APP_INSTANCE'

/** `drainTimeoutMs` if that is less. */
const DEFAULT_DRAIN_SPREAD_MS = 5_000
/** `drainTimeoutMs` if that is less. */
const DEFAULT_DRAIN_RETURN_MS = 1_000

const queueOptions: Options<{ limit: number; timeoutMs: number }> = {
  limit: { schema: countFromZero, default: 1_024 },
  timeoutMs: { schema: milliseconds(0), default: 5_000 },
}
const slowStartOptions: Options<{ from: number; aggression: number }> = {
  from: { schema: share, default: 0.1 },
  aggression: { schema: v.optional(aboveZero()), default: 1 },
}
const reloadOptions: Options<ReloadSettings> = {
  maxSurge: { schema: positive(), default: 1 },
  settleMs: { schema: milliseconds(0), default: 1_500 },
}

export const defaultQueue = defaultsOf(queueOptions)
export const defaultSlowStart = defaultsOf(slowStartOptions)
export const defaultReload = defaultsOf(reloadOptions)

/** The options of each part of a pool. */
export const poolParts = {
  queue: schemasOf(queueOptions),
  slowStart: { windowMs: v.nonOptional(milliseconds(1)), ...schemasOf(slowStartOptions) },
  reload: schemasOf(reloadOptions),
  maxMemory: { soft: size, hard: size },
  readyWhen: readyEntries,
  healthWhen: healthEntries,
  outliers: outlierEntries,
  autoscale: autoscaleEntries,
  upstream: upstreamEntries,
}

export const poolEntries = {
  workers: countOrMax,
  app: v.optional(text),
  upstream,
  args: v.optional(v.array(v.string('a string'), 'a list of strings')),
  execArgv: texts,
  sourceMaps: flag,
  cwd: v.optional(text),
  env: v.optional(v.record(v.string(), v.optional(v.string('a string')), 'an object of names and strings')),
  slotVariable: v.optional(expected(v.union([variableName, v.literal(false)]), 'the name of an environment variable or false')),
  onOutage: v.optional(v.picklist(['retry', 'not-live', 'exit'], "'retry', 'not-live' or 'exit'")),
  rest: v.optional(v.picklist(['auto', 'always', 'never'], "'auto', 'always' or 'never'")),
  concurrency: positive(),
  weights: v.optional(v.array(aboveZero(), 'a list of weights')),
  slowStart: v.optional(shape(poolParts.slowStart)),
  queue: v.optional(shape(poolParts.queue)),
  reload: v.optional(shape(poolParts.reload)),
  maxMemory: v.optional(shape(poolParts.maxMemory)),
  maxRequests: positive(),
  maxAgeMs: milliseconds(1),
  nice: whole(-20, 19, 'an integer from -20 to 19'),
  uid,
  gid,
  readyWhen,
  healthWhen,
  outliers,
  autoscale,
  maxConnectionAgeMs: milliseconds(1),
  drainSpreadMs: milliseconds(0),
  drainReturnMs: milliseconds(0),
  stopSignal: v.optional(v.picklist(APP_STOP_SIGNALS, "'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT' or 'SIGUSR2'")),
  stopTimeoutMs: milliseconds(0),
  ...jobEntries,
}

/** A letter first: keys that look like numbers come first in an object, and the first pool is the default one. */
const poolName = expected(v.pipe(v.string(), v.regex(/^[A-Za-z][\w-]{0,62}$/)), 'a pool name: a letter, then letters, digits, - or _')

export const pools = v.optional(
  v.pipe(
    v.record(poolName, shape(poolEntries), 'an object of pools'),
    v.check((pools) => Object.keys(pools).length > 0, 'at least one pool'),
  ),
)

function aboveZero() {
  return expected(v.pipe(v.number(), v.finite(), v.gtValue(0)), 'a number above 0')
}

export function poolFaults(
  { pools, listen, drainTimeoutMs = defaultLimits.drainTimeoutMs }: Loose,
  users: UserSource,
  folder: string,
): Fault[] {
  return Object.entries(looseOf(pools)).flatMap(([name, value]) => {
    const pool = looseOf(value)
    const at = (...keys: string[]) => formatPath(['pools', name, ...keys])
    const { soft, hard } = looseOf(pool.maxMemory)
    return [
      ...orderFaults(at('maxMemory', 'hard'), 'soft', [bytesOf(soft), soft], [bytesOf(hard), hard]),
      ...userFaults(pool, at, users),
      ...outlierFaults(looseOf(pool.outliers), at),
      ...autoscaleFaults(pool, at),
      ...jobFaults(pool, at),
      ...upstreamFaults(pool, at, listen !== undefined, folder),
      ...boundFaults(at('drainSpreadMs'), 'drainTimeoutMs', pool.drainSpreadMs, drainTimeoutMs),
      ...boundFaults(at('drainReturnMs'), 'drainTimeoutMs', pool.drainReturnMs, drainTimeoutMs),
    ]
  })
}

export interface PoolContext {
  /** Relative paths start from it. */
  folder: string
  cpus: () => number
  users: UserSource
  limits: LimitSettings
}

/** The pools of a config, in order. The first is the default one. */
export function poolsOf(pools: Readonly<Record<string, PoolConfig>> | undefined): Readonly<Record<string, PoolConfig>> {
  return pools ?? { [DEFAULT_POOL_NAME]: {} }
}

/** Settings of a checked pool. `app` is the path of its entry file. */
export function poolSettings(name: string, pool: PoolConfig, app: string, { folder, cpus, users, limits }: PoolContext): PoolSettings {
  const env = Object.entries(pool.env ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const autoscale = autoscaleSettings(pool.autoscale, cpus)
  const queue = withDefaults(defaultQueue, pool.queue)
  const { soft, hard } = pool.maxMemory ?? {}
  const slowStart = pool.slowStart && { windowMs: pool.slowStart.windowMs, ...withDefaults(defaultSlowStart, pool.slowStart) }
  const upstream = upstreamSettings(pool, folder)
  /** These are about the upstream servers, if there are some. */
  const ofWorkers = upstream === undefined
  return {
    name,
    app,
    upstream: upstream && { ...upstream, slowStart },
    args: pool.args ?? [],
    execArgv: pool.execArgv ?? [],
    sourceMaps: pool.sourceMaps ?? true,
    cwd: resolve(folder, pool.cwd ?? '.'),
    env: Object.fromEntries(env),
    slotVariable: pool.slotVariable === false ? undefined : (pool.slotVariable ?? DEFAULT_SLOT_VARIABLE),
    onOutage: pool.onOutage ?? 'retry',
    workers: pool.schedule === undefined ? workerCount(pool.workers, autoscale, cpus) : 0,
    concurrency: pool.concurrency ?? Number.POSITIVE_INFINITY,
    queueLimit: queue.limit,
    rest: pool.rest ?? 'auto',
    queueTimeoutMs: queue.timeoutMs,
    weights: ofWorkers ? (pool.weights ?? []) : [],
    slowStart: ofWorkers ? slowStart : undefined,
    reload: withDefaults(defaultReload, pool.reload),
    memory: { softBytes: bytesOf(soft) ?? Number.POSITIVE_INFINITY, hardBytes: bytesOf(hard) ?? Number.POSITIVE_INFINITY },
    maxRequests: pool.maxRequests ?? Number.POSITIVE_INFINITY,
    maxAgeMs: pool.maxAgeMs ?? Number.POSITIVE_INFINITY,
    nice: pool.nice,
    ...workerUser(pool, users),
    readyWhen: pool.readyWhen === READY_MESSAGE ? undefined : probeSettings(pool.readyWhen, defaultReadyWhen),
    readyMessage: pool.readyWhen === READY_MESSAGE,
    healthWhen: ofWorkers ? probeSettings(pool.healthWhen, defaultHealthWhen) : undefined,
    outliers: outlierSettings(pool.outliers),
    autoscale,
    maxConnectionAgeMs: pool.maxConnectionAgeMs ?? Number.POSITIVE_INFINITY,
    drainSpreadMs: pool.drainSpreadMs ?? Math.min(DEFAULT_DRAIN_SPREAD_MS, limits.drainTimeoutMs),
    drainReturnMs: pool.drainReturnMs ?? Math.min(DEFAULT_DRAIN_RETURN_MS, limits.drainTimeoutMs),
    stopSignal: pool.stopSignal,
    stopTimeoutMs: pool.stopTimeoutMs,
    ...jobSettings(pool),
  }
}
