// What a user may write in balancer.config.ts. Only types and `defineConfig`; docs/configuration.md tells the defaults.

import type { Policy, PolicyData, PolicyFunction, RouteMatch } from '@switchyard/routing'
import type { OnOutage, RestMode, SessionCookieSettings, SessionSettings } from '@switchyard/worker-runtime'
import type { AppStopSignal, LimitSettings, OutlierSettings } from '../settings.ts'

/** An address in full. Either `path`, or `port` with or without `host`. */
export interface ListenOptions {
  /** Left out: every address, IPv6 and IPv4. */
  host?: string | undefined
  /** 0: the kernel chooses. */
  port?: number | undefined
  /** Path of a unix socket. */
  path?: string | undefined
  /** Do not take IPv4 on an IPv6 address. Default false. */
  ipv6Only?: boolean | undefined
  /** Connections that the kernel keeps until they are accepted. Default 511. */
  backlog?: number | undefined
  /** false: route by address alone, for servers that speak first. Default: true for servers of HTTP and TLS. */
  peek?: boolean | undefined
}

/** A port, `'host:port'`, the path of a unix socket (`'/run/app.sock'` or `'unix:app.sock'`), or the address in full. */
export type ListenConfig = number | string | ListenOptions

export interface QueueConfig {
  /** Connections that may wait for a worker of this pool. Default 1024. */
  limit?: number | undefined
  /** How long one may wait. Default 5000. */
  timeoutMs?: number | undefined
}

/** How a worker that has just come up gets its share little by little. */
export interface SlowStartConfig {
  /** For how long. */
  windowMs: number
  /** The part of its weight that it has at least, above 0, at most 1. Default 0.1. */
  from?: number | undefined
  /** 1: it grows evenly; more: quickly at first; less: slowly at first. Default 1. */
  aggression?: number | undefined
}

/** How new workers take the place of old ones. */
export interface ReloadConfig {
  /** So many workers of a pool are replaced at a time. Default 1. */
  maxSurge?: number | undefined
  /** How long a new worker that listens must stay up before it counts as ready. Default 1500. */
  settleMs?: number | undefined
}

/** Bytes, or a text such as `'512M'` or `'1.5G'`. */
export type SizeConfig = number | string

/** What a worker may have resident. Left out: no limit. */
export interface MemoryConfig {
  /** Above it the worker is replaced, one at a time. */
  soft?: SizeConfig | undefined
  /** Above it the worker is killed. */
  hard?: SizeConfig | undefined
}

/** A request of the balancer's own that a worker must answer. */
export interface ProbeConfig {
  path: string
  /** One status, or the first and the last that are good. Default `[200, 399]`. */
  status?: number | readonly [from: number, to: number] | undefined
  /** From the end of one to the begin of the next. Default 250 for `readyWhen`, 10000 for `healthWhen`. */
  intervalMs?: number | undefined
  /** Default 1000 for `readyWhen`, 5000 for `healthWhen`. */
  timeoutMs?: number | undefined
  headers?: Readonly<Record<string, string>> | undefined
}

export interface HealthProbeConfig extends ProbeConfig {
  /** So many failures in a row, and the worker is replaced. Default 3. */
  failures?: number | undefined
}

/** When a worker that does worse than the others gets nothing for a while; docs/configuration.md tells each default. */
export type OutlierConfig = { [Name in keyof OutlierSettings]?: OutlierSettings[Name] | undefined }

/** How many workers a pool has, by what its loops have to do. */
export interface AutoscaleConfig {
  /** Default 1. */
  min?: number | undefined
  /** `'max'`: one for each core that this process may use. Default `'max'`. */
  max?: number | 'max' | undefined
  /** Utilisation of the loops that is aimed at, above 0, at most 1. Default 0.7. */
  target?: number | undefined
  /** Load that has lasted so long brings more workers. Default 5000. */
  upAfterMs?: number | undefined
  /** And so long without it takes one away. Default 60000. */
  downAfterMs?: number | undefined
}

/** A named set of workers that run one app. */
export interface PoolConfig {
  /** How many workers. `'max'`: one for each core that this process may use. Default `'max'`; with `autoscale` its `min`. */
  workers?: number | 'max' | undefined
  /** Entry file; left out: the app of the config. */
  app?: string | undefined
  /** Arguments of the app. */
  args?: readonly string[] | undefined
  /** Options of Node itself, such as `--max-old-space-size=512`. */
  execArgv?: readonly string[] | undefined
  /** Working directory of the workers. Default: the folder of the config file. */
  cwd?: string | undefined
  /** Added to the environment of the balancer. */
  env?: Readonly<Record<string, string | undefined>> | undefined
  /** An environment variable that has the worker's slot, besides `SWITCHYARD_SLOT`. Default `NODE_APP_INSTANCE`, as PM2 has it; `false`: none. */
  slotVariable?: string | false | undefined
  /** When every worker has failed too often and nobody serves: one is tried again now and then (`'retry'`, the default); `/livez` says 503 besides (`'not-live'`); or the balancer ends (`'exit'`). */
  onOutage?: 'retry' | 'not-live' | 'exit' | undefined
  /** The most requests in flight that a worker is given; the others wait. Left out: no limit. */
  concurrency?: number | undefined
  queue?: QueueConfig | undefined
  /** The workers' shares relative to each other, by slot; slots beyond the list have 1. Default `[]`. */
  weights?: readonly number[] | undefined
  /** Left out: a worker has its whole share at once. */
  slowStart?: SlowStartConfig | undefined
  /** When idle kept-alive connections go back to the primary, to be routed afresh: when requests are so heavy that it pays, always, or never. Default `'auto'`. */
  rest?: RestMode | undefined
  reload?: ReloadConfig | undefined
  maxMemory?: MemoryConfig | undefined
  /** Requests after which a worker is replaced, give or take a tenth. Left out: never. */
  maxRequests?: number | undefined
  /** Age at which a worker is replaced, give or take a tenth. Left out: never. */
  maxAgeMs?: number | undefined
  /** -20 (first served) to 19. Left out: as the balancer itself. */
  nice?: number | undefined
  /** The user whose the workers are, by number or name; the balancer must be root. Left out: as the balancer itself. */
  uid?: number | string | undefined
  /** Their group. Default: the group of that user. */
  gid?: number | string | undefined
  /** A new worker is ready when it answers this, a path or more. Left out: when its app listens. */
  readyWhen?: string | ProbeConfig | undefined
  /** A worker that no longer answers this is replaced. Left out: it is not asked. */
  healthWhen?: string | HealthProbeConfig | undefined
  /** Workers that do worse than the others get nothing for a while. Default false. */
  outliers?: boolean | OutlierConfig | undefined
  /** Left out: the number of workers stays. */
  autoscale?: AutoscaleConfig | undefined
  /** Age at which a connection moves to a worker that is chosen afresh, or ends, give or take a tenth. Left out: never. */
  maxConnectionAgeMs?: number | undefined
  /** How long the goodbyes to websockets are spread over when a worker drains. Default 5000, or `drainTimeoutMs` if that is less. */
  drainSpreadMs?: number | undefined
  /** Where tickets bring visitors back: how long nobody may have come before a worker that drains leaves. Default 1000, or `drainTimeoutMs` if that is less. */
  drainReturnMs?: number | undefined
  /** The signal that the app gets when its worker has drained and is to end. Default `'SIGTERM'`, or `'SIGINT'` for an app that listens for that alone. */
  stopSignal?: AppStopSignal | undefined
  /** How long the app may take to end after that signal. Default what is left of `drainTimeoutMs`, and 5000 at least. */
  stopTimeoutMs?: number | undefined
}

/** What of it is left out has its default. */
type Optional<T> = { [Name in keyof T]?: T[Name] | undefined }

/** How sessions are kept that all workers share. */
export interface SessionsConfig {
  /** Redis, as `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`. Default: `SWITCHYARD_REDIS_URL`, else the memory of the primary; `false`: that in any case. */
  url?: string | false | undefined
  /** Instead of `url`: the name of an environment variable that has it, such as `REDIS_URL`. When that can't be read the log says so, and sessions are in the memory of the primary. */
  urlFrom?: string | undefined
  /** Signs ids; two for a change of secret: `[current, previous]`. Default: made of the `secret` of the balancer. */
  secret?: string | readonly [current: string, previous?: string] | undefined
  /** PEM files for `rediss://`. */
  tls?: Optional<{ ca: string; cert: string; key: string }> | undefined
  /** Keys in Redis begin with it. Default `'switchyard'`. */
  keyPrefix?: string | undefined
  /** For how long a session is kept that nobody uses. Default 24 hours. */
  ttlMs?: number | undefined
  /** For how long a session that was destroyed can't come back. Default 5 minutes. */
  tombstoneMs?: number | undefined
  /** Of one session. Default 65536. */
  maxValueBytes?: number | undefined
  /** In the memory of the primary. Default 100000. */
  maxSessions?: number | undefined
  /** The same, of all texts together. Default 256 MiB. */
  maxBytes?: SizeConfig | undefined
  /** How long a command may take. Default 500. */
  commandTimeoutMs?: number | undefined
  /** How often an update tries while others write. Default 32. */
  updateAttempts?: number | undefined
  /** What requests get while the store can't be asked. Default `'fail'`. */
  onOutage?: OnOutage | undefined
  /** What a worker keeps of what it has read; `false`: nothing. */
  nearCache?: false | Optional<NonNullable<SessionSettings['nearCache']>> | undefined
  /** When the store is not asked for a while. */
  breaker?: Optional<SessionSettings['breaker']> | undefined
  /** The cookie of `sessions(request, response)`. */
  cookie?: Optional<SessionCookieSettings> | undefined
}

/** A policy, a plain function `(candidates, head) => candidate`, or how JSON says one. */
export type PolicyConfig = Policy | PolicyFunction | PolicyData

/** Which requests, and where they go. Left out: every request, the first pool, the policy of the config. */
export interface RouteConfig extends RouteMatch {
  pool?: string | undefined
  policy?: PolicyConfig | undefined
  /** For logs and `balancer explain`. Default: what it matches. */
  name?: string | undefined
}

/** The limits, flat and all optional. */
export type LimitConfig = { [Name in keyof LimitSettings]?: LimitSettings[Name] | undefined }

export interface BalancerConfig extends LimitConfig {
  /** Entry file of every pool that names none. Relative to the folder of the config file. */
  app?: string | undefined
  /** Left out: where the app asks to listen. */
  listen?: ListenConfig | readonly ListenConfig[] | undefined
  /** Addresses at which servers of the app are not balanced, such as those of debug and metrics servers: `[9464]`. Default `[]`. */
  unbalanced?: readonly ListenConfig[] | undefined
  /** The first is the default one. Left out: one pool, `web`. */
  pools?: Readonly<Record<string, PoolConfig>> | undefined
  /** The first that matches wins; what none matches goes to the first pool. */
  routes?: readonly RouteConfig[] | undefined
  /** Policy of the routes that name none. Default `leastBusy()`. */
  policy?: PolicyConfig | undefined
  /** Where metrics, health and status are served; false: nowhere. Default `'127.0.0.1:9400'`. */
  admin?: number | string | false | undefined
  /** Path of the unix socket over which the command line speaks with the balancer; false: none. Left out: one that goes by the config. */
  control?: string | false | undefined
  /** What logs and the control socket call this balancer by. Default: the name of the folder of the config. */
  name?: string | undefined
  /** Signs tickets; two for a change of secret: `[current, previous]`. Default: `SWITCHYARD_SECRET`, else a new one at each start. */
  secret?: string | readonly [current: string, previous?: string] | undefined
  /** Sessions that all workers share. Left out: in Redis if there is a `REDIS_URL`, else in the memory of the primary. */
  sessions?: SessionsConfig | undefined
  /** Addresses (CIDR) of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. */
  trustedProxies?: readonly string[] | undefined
}

/** Gives the config back as it is, with its types checked and completed by the editor. */
export function defineConfig(config: BalancerConfig): BalancerConfig {
  return config
}
