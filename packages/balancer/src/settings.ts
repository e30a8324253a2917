// Settings: a config after its check, with every default filled in. The parts of the primary get settings, never a config.

import type { KeySource, Policy, RouteMatch, SlowStart, TicketKey } from '@switchyard/routing'
import type { RestMode, SessionSettings } from '@switchyard/worker-runtime'
import type { ListenAddress } from './listener-settings.ts'
import type { UpstreamSettings } from './upstream-settings.ts'

/** How a reload replaces workers. */
export interface ReloadSettings {
  /** Slots of a pool that are replaced at the same time. */
  maxSurge: number
  /** How long a new worker that listens must stay up before it counts as ready. */
  settleMs: number
}

/** Limits of a worker's resident memory. Infinity: no limit. */
export interface MemorySettings {
  /** Above it the worker is replaced. */
  softBytes: number
  /** Above it the worker is killed. */
  hardBytes: number
}

/** A request from the balancer that a worker must answer. */
export interface Probe {
  path: string
  /** Statuses of a good answer, both ends included. */
  status: readonly [from: number, to: number]
  /** From the end of one probe to the start of the next. */
  intervalMs: number
  timeoutMs: number
  headers: Readonly<Record<string, string>>
}

export interface HealthProbe extends Probe {
  /** Failures in a row after which the worker is replaced. */
  failures: number
}

/** When a worker that does worse than the others is ejected: it gets no requests for a while. The terms are Envoy's. */
export interface OutlierSettings {
  /** How often the workers are compared. */
  intervalMs: number
  /** A worker that started fewer requests in an interval is not judged. */
  minRequests: number
  /** An outlier has a share of failed requests that exceeds the median of the others by this much. 0 to 1. */
  errorShare: number
  /** Or it has a latency of this many times the median of the others. Infinity: latency does not count. */
  latencyFactor: number
  /** A lower latency is never an outlier. */
  latencyFloorMs: number
  /** Length of a worker's first ejection. Each further one is longer by this much. */
  baseEjectionMs: number
  maxEjectionMs: number
  /** Share of the pool that may be ejected at the same time, but always at least one worker. */
  maxEjectedShare: number
  /** If less than this share of the pool would be left, ejections are ignored. */
  panicThreshold: number
}

/** How the number of workers follows the load of their event loops. */
export interface AutoscaleSettings {
  min: number
  max: number
  /** The utilisation of the event loops to aim at, 0 to 1. */
  target: number
  /** Load above the target adds workers after this time. */
  upAfterMs: number
  /** Load below the target removes a worker after this time. */
  downAfterMs: number
}

/** Signals that may end an app. */
export const APP_STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const

export type AppStopSignal = (typeof APP_STOP_SIGNALS)[number]

/** The times of a cron expression. */
export interface CronSettings {
  pattern: string
  /** An IANA name. undefined: the time zone of the primary. */
  timeZone: string | undefined
}

export interface ScheduleSettings extends CronSettings {
  /** Processes that may run at the same time. */
  most: number
}

/** A named set of workers that run one app. */
export interface PoolSettings {
  name: string
  /** Absolute path of the entry file. */
  app: string
  /** The workers are proxies for these servers. undefined: they run `app`. */
  upstream: UpstreamSettings | undefined
  args: readonly string[]
  execArgv: readonly string[]
  /** Stack traces name the sources of compiled code. */
  sourceMaps: boolean
  cwd: string
  env: Readonly<Record<string, string>>
  /** A second environment variable, besides SWITCHYARD_SLOT, with the worker's slot. undefined: none. */
  slotVariable: string | undefined
  /** With `autoscale`: the number at the start. With `schedule`: 0. */
  workers: number
  /** false: its workers get no connections, and their servers are not balanced. */
  listens: boolean
  /** Starts a one-off process at these times. undefined: workers run all the time. */
  schedule: ScheduleSettings | undefined
  /** Reloads the pool at these times. undefined: never. */
  restartAt: CronSettings | undefined
  /** Most requests in flight in one worker. Infinity: no limit. */
  concurrency: number
  queueLimit: number
  queueTimeoutMs: number
  /** By slot. A slot beyond the list has 1. */
  weights: readonly number[]
  /** undefined: a new worker has its whole weight at once. */
  slowStart: SlowStart | undefined
  /** When idle connections of the workers rest in the primary. */
  rest: RestMode
  reload: ReloadSettings
  memory: MemorySettings
  /** Requests after which a worker is replaced, with jitter. Infinity: never. */
  maxRequests: number
  /** Age at which a worker is replaced, with jitter. Infinity: never. */
  maxAgeMs: number
  /** Scheduling priority, -20 (served first) to 19. undefined: that of the primary. */
  nice: number | undefined
  /** The user that the workers run as. undefined: the user and group of the primary. */
  uid: number | undefined
  gid: number | undefined
  /** undefined: a worker is ready when its app listens. */
  readyWhen: Probe | undefined
  /** A worker is ready when its app has sent 'ready', and listens if the pool does. */
  readyMessage: boolean
  /** undefined: no probes. */
  healthWhen: HealthProbe | undefined
  /** undefined: no worker is ejected. */
  outliers: OutlierSettings | undefined
  /** When every slot is broken and no worker serves: start one from time to time; also fail `/livez`; or exit. */
  onOutage: 'retry' | 'not-live' | 'exit'
  /** undefined: the number of workers is fixed. */
  autoscale: AutoscaleSettings | undefined
  /** Age at which a connection moves to a newly picked worker, or closes, with jitter. Infinity: never. */
  maxConnectionAgeMs: number
  /** The time over which a draining worker closes its websockets, one after the other. */
  drainSpreadMs: number
  /** Where routes of the pool give tickets: a draining worker ends after this time without a returning visitor. */
  drainReturnMs: number
  /** The signal that ends the app. undefined: SIGTERM, or SIGINT if the app listens only for that. */
  stopSignal: AppStopSignal | undefined
  /** How long the app may take to end after that signal. undefined: the rest of `drainTimeoutMs`, and at least 5 s. */
  stopTimeoutMs: number | undefined
  /** The app gets the message 'shutdown' before that signal. */
  shutdownMessage: boolean
  /** A worker that ends with one of these codes is not started again. */
  stopExitCodes: readonly number[]
}

/** The pool for requests that no route matches: the first that listens. */
export function defaultPool<P extends Pick<PoolSettings, 'listens'>>(pools: readonly P[]): P | undefined {
  return pools.find(({ listens }) => listens) ?? pools[0]
}

export interface RouteSettings {
  name: string
  match: RouteMatch
  pool: string
  policy: Policy
  /** Are streams of HTTP/2 spread over the pool? undefined: as `http2.spread` of their listener says. */
  spread?: boolean | undefined
}

export interface LimitSettings {
  /** Largest request head; a larger one is refused with 431. undefined: what the parsers of the app allow. */
  maxHeadBytes: number | undefined
  /** From accept until the head is complete; then the connection is refused with 408. */
  headTimeoutMs: number
  /** Connections that are accepted but not routed yet. */
  maxUnrouted: number
  maxUnroutedPerAddress: number
  /** Share of the descriptor limit, 0 to 1, at which accepting pauses. */
  descriptorShare: number
  /** How long a client may take to read a refusal. */
  lingerTimeoutMs: number
  /** Idle connections that rest in the primary. */
  maxResting: number
  /** Visitors in the visitor table, known by a cookie of the app. */
  maxLearned: number
  /** How long the table keeps a visitor without requests. */
  learnedTtlMs: number
  /** How long a forwarded request waits for a worker. */
  forwardTimeoutMs: number
  /** From the start of a worker until its app listens. */
  startTimeoutMs: number
  /** Workers that start at the same time in empty slots, those of all pools together. */
  startsAtOnce: number
  /** From the signal to stop until remaining connections are cut. */
  drainTimeoutMs: number
  /** Delay of the first restart of a worker. It doubles with each failure in a row, up to `maxRestartDelayMs`, with jitter. */
  restartDelayMs: number
  maxRestartDelayMs: number
  /** A slot with more restarts than this within `restartWindowMs` is broken. */
  maxRestarts: number
  restartWindowMs: number
  /** A worker whose event loop stands still for this long is replaced. Infinity: never. */
  hangTimeoutMs: number
  /** Addresses that the primary listens on: those of the config and of the app's servers together. */
  maxListeners: number
  /** How long a listener stays open after the last worker closed its server there. */
  listenerGraceMs: number
  /** From the signal to stop until the primary no longer accepts. `/readyz` fails from the start of that time. */
  shutdownDelayMs: number
  /** How often the session tickets of TLS servers get a new key. */
  ticketKeyRotationMs: number
}

/** Log files of the workers' output. */
export interface LogSettings {
  /** Absolute path. */
  folder: string
  /** Name within the folder; `{name}`, `{pool}` and `{slot}` stand for those of the balancer and the worker. */
  file: string
  /** For lines of stderr. undefined: they go to `file` too. */
  errorFile: string | undefined
  format: 'text' | 'json'
  /** Lines of text begin with their time. */
  timestamps: boolean
  /** undefined: another program rotates the files. */
  rotate: LogRotationSettings | undefined
}

/** A line for each request that a worker serves. */
export interface AccessLogSettings {
  /** Absolute path of the folder of the files, and their rotation: those of `logs`, or its defaults. */
  folder: string
  rotate: LogRotationSettings | undefined
  /** Name within the folder; `{name}`, `{pool}` and `{slot}` stand for those of the balancer and the worker. */
  file: string
  /** `combined`, `json` or a template. */
  format: string
  /** Share of the requests that are logged, above 0, at most 1. */
  sample: number
}

/** A file is rotated when it is large, or when a period of the local time has ended. */
export interface LogRotationSettings {
  sizeBytes: number
  interval: { count: number; unit: 'm' | 'h' | 'd' } | undefined
  /** Rotated files of each log file. */
  keep: number
  compress: boolean
}

export interface Settings {
  /** The config file, if there is one. */
  file: string | undefined
  /** Environment variables with the balancer's secrets. The config may read them; workers do not get them. */
  configVariables: Readonly<Record<string, string>>
  /** Name of this balancer in logs and on the control socket. */
  name: string
  /** undefined: the workers' output goes where the log goes. */
  logs: LogSettings | undefined
  /** undefined: there is no access log. */
  accessLog: AccessLogSettings | undefined
  /** Path of the control socket. false: none. undefined: not configured, so the start chooses one. */
  control: string | false | undefined
  /** undefined: where the app listens. */
  listen: readonly ListenAddress[] | undefined
  /** App servers on these addresses are not balanced. */
  unbalanced: readonly ListenAddress[]
  /** The first is the default one. */
  pools: readonly PoolSettings[]
  routes: readonly RouteSettings[]
  /** The policy for requests that match no route. */
  defaultPolicy: Policy
  /**
   * undefined: no admin page. `explicit`: written by the user, so a port in use is an error. `names`: host names, in lower case, under which it answers beside
   * addresses and localhost.
   */
  admin: { host: string; port: number; explicit: boolean; names: readonly string[] } | undefined
  /** The primary answers health checks under this path on every listener. undefined: under none. */
  healthPath: string | undefined
  ticketKeys: readonly TicketKey[]
  sessions: SessionSettings
  /** Whether session ids have a secret of their own. false: it is derived from the ticket keys. */
  hasSessionSecret: boolean
  trustedProxies: readonly string[]
  clientAddress: KeySource
  limits: LimitSettings
  /** Decisions are recorded from the start on. false: from the first reader on. */
  decisions: boolean
  /** Responses to these addresses and networks say why their worker was chosen. */
  explainTo: readonly string[]
  /** Say what could be done better, from what is seen. */
  advice: boolean
}
