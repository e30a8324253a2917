// What a config says once its faults are gone and its defaults are filled in. Everything below the config speaks of settings only.

import type { KeySource, Policy, RouteMatch, SlowStart, TicketKey } from '@switchyard/routing'
import type { RestMode, SessionSettings } from '@switchyard/worker-runtime'

/** An address to listen on: TCP (`host` undefined: dual-stack) or a unix socket. */
export interface ListenAddress {
  host: string | undefined
  /** 0: the kernel chooses. */
  port: number | undefined
  /** Path of a unix socket; then host and port are undefined. */
  path: string | undefined
  ipv6Only: boolean
  backlog: number
  /** false: route by address alone, without deferred accept, for servers that speak first; undefined: as the server is one of HTTP or TLS, or is not. */
  peek: boolean | undefined
  /** Other processes may listen there too. Left out: no. */
  reusePort?: boolean | undefined
  /** Of the file of a unix socket. Left out: by the umask of the primary. */
  mode?: number | undefined
}

/** How new workers take the place of old ones. */
export interface ReloadSettings {
  /** So many seats are replaced at a time. */
  maxSurge: number
  /** How long a new worker that listens must stay up before it counts as ready. */
  settleMs: number
}

/** What a worker may have resident; Infinity: no limit. */
export interface MemorySettings {
  /** Above it the worker is replaced. */
  softBytes: number
  /** Above it the worker is killed. */
  hardBytes: number
}

/** A request of the balancer's own that a worker must answer. */
export interface Probe {
  path: string
  /** Answers from the one to the other, both included, are good. */
  status: readonly [from: number, to: number]
  /** From the end of one to the begin of the next. */
  intervalMs: number
  timeoutMs: number
  headers: Readonly<Record<string, string>>
}

export interface HealthProbe extends Probe {
  /** So many failures in a row make a worker sick. */
  failures: number
}

/** When a worker that does worse than the others gets nothing for a while. The words are Envoy's. */
export interface OutlierSettings {
  /** How often the workers are compared. */
  intervalMs: number
  /** Who has begun fewer requests in an interval is not judged. */
  minRequests: number
  /** An outlier is whose share of failed requests is so much above the median of the others. 0 to 1. */
  errorShare: number
  /** And whose latency is so many times the median of the others; Infinity: latency does not count. */
  latencyFactor: number
  /** Below it nobody is slow. */
  latencyFloorMs: number
  /** The first ejection; each further one of the same worker is longer by this. */
  baseEjectionMs: number
  maxEjectionMs: number
  /** Share of the pool that may be ejected at a time; one worker in any case. */
  maxEjectedShare: number
  /** When less than this share of the pool would be left, nobody counts as ejected. */
  panicThreshold: number
}

/** How many workers a pool has, by what its loops have to do. */
export interface AutoscaleSettings {
  min: number
  max: number
  /** Utilisation of the loops that is aimed at, 0 to 1. */
  target: number
  /** Load that has lasted so long brings more workers. */
  upAfterMs: number
  /** And so long without it takes one away. */
  downAfterMs: number
}

/** What an app may be sent when its worker is to end. */
export const APP_STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const

export type AppStopSignal = (typeof APP_STOP_SIGNALS)[number]

/** A named set of workers that run one app. */
export interface PoolSettings {
  name: string
  /** Absolute path of the entry file. */
  app: string
  args: readonly string[]
  execArgv: readonly string[]
  cwd: string
  env: Readonly<Record<string, string>>
  /** A variable of the worker's environment that has its slot, besides SWITCHYARD_SLOT; undefined: none. */
  slotVariable: string | undefined
  /** With `autoscale`: at the start. */
  workers: number
  /** The most requests in flight that a worker is given; Infinity: no limit. */
  concurrency: number
  queueLimit: number
  queueTimeoutMs: number
  /** By slot; a slot beyond the list has 1. */
  weights: readonly number[]
  /** undefined: a worker has its whole weight at once. */
  slowStart: SlowStart | undefined
  /** When idle connections of its workers rest in the primary. */
  rest: RestMode
  reload: ReloadSettings
  memory: MemorySettings
  /** Requests after which a worker is replaced, give or take a jitter; Infinity: never. */
  maxRequests: number
  /** Age at which a worker is replaced, give or take a jitter; Infinity: never. */
  maxAgeMs: number
  /** -20 (first served) to 19; undefined: that of the primary. */
  nice: number | undefined
  /** Whose the workers are; undefined: the primary's own user and group. */
  uid: number | undefined
  gid: number | undefined
  /** undefined: a worker is ready when its app listens. */
  readyWhen: Probe | undefined
  /** undefined: a worker that runs is well. */
  healthWhen: HealthProbe | undefined
  /** undefined: nobody is ejected. */
  outliers: OutlierSettings | undefined
  /** When every slot is broken and nobody serves: try one now and then; say so by `/livez` besides; or end the balancer. */
  onOutage: 'retry' | 'not-live' | 'exit'
  /** undefined: the number of workers stays. */
  autoscale: AutoscaleSettings | undefined
  /** Age at which a connection moves to a worker that is chosen afresh, or ends, give or take a jitter; Infinity: never. */
  maxConnectionAgeMs: number
  /** How long the goodbyes to websockets are spread over when a worker drains. */
  drainSpreadMs: number
  /** How long nobody may have come to a worker that drains, where routes of its pool give tickets. */
  drainReturnMs: number
  /** What the app gets when its worker is to end; undefined: SIGTERM, or SIGINT if the app listens for that alone. */
  stopSignal: AppStopSignal | undefined
  /** How long the app may take to end after that; undefined: what is left of `drainTimeoutMs`, and 5 s at least. */
  stopTimeoutMs: number | undefined
}

export interface RouteSettings {
  name: string
  match: RouteMatch
  pool: string
  policy: Policy
}

export interface LimitSettings {
  /** undefined: as long as the parsers of the app allow. */
  maxHeadBytes: number | undefined
  headTimeoutMs: number
  maxUnrouted: number
  maxUnroutedPerAddress: number
  /** Share of the descriptor limit (0 to 1) at which accepting pauses. */
  descriptorShare: number
  lingerTimeoutMs: number
  maxResting: number
  /** Visitors that are known by a cookie of the app's own. */
  maxLearned: number
  /** For how long one is known who does not come. */
  learnedTtlMs: number
  /** How long a request that must be forwarded waits for a worker. */
  forwardTimeoutMs: number
  startTimeoutMs: number
  drainTimeoutMs: number
  restartDelayMs: number
  maxRestartDelayMs: number
  /** Restarts of a seat within `restartWindowMs` after which it is broken. */
  maxRestarts: number
  restartWindowMs: number
  /** A worker whose loop has not turned for so long is replaced; Infinity: it is not. */
  hangTimeoutMs: number
  /** Of the config and of the app's servers, together. */
  maxListeners: number
  /** How long a listener stays that no worker has a server for any more. */
  listenerGraceMs: number
  /** From the signal to stop until connections are no longer accepted; `/readyz` says no from the begin. */
  shutdownDelayMs: number
}

export interface Settings {
  /** The config file, if there is one. */
  file: string | undefined
  /** Variables of the environment that are the balancer's secrets: the config may read them, the workers' environment has not got them. */
  configVariables: Readonly<Record<string, string>>
  /** What logs and the control socket call this balancer by. */
  name: string
  /** Path of the control socket; false: none; undefined: nobody has said, the start chooses. */
  control: string | false | undefined
  /** undefined: listen where the app asks to listen. */
  listen: readonly ListenAddress[] | undefined
  /** Servers of the app on these addresses are not balanced. */
  unbalanced: readonly ListenAddress[]
  /** The first is the default one. */
  pools: readonly PoolSettings[]
  routes: readonly RouteSettings[]
  /** The policy of the route that serves what no route matches. */
  defaultPolicy: Policy
  /** undefined: no admin page. `explicit`: asked for by the user, so a port in use is an error. */
  admin: { host: string; port: number; explicit: boolean } | undefined
  ticketKeys: readonly TicketKey[]
  sessions: SessionSettings
  /** Are their ids signed with a secret of their own, and not with one that is made of that of tickets? */
  hasSessionSecret: boolean
  trustedProxies: readonly string[]
  clientAddress: KeySource
  limits: LimitSettings
}
