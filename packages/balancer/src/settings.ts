// What a config says once its faults are gone and its defaults are filled in. Everything below the config speaks of settings only.

import type { KeySource, Policy, RouteMatch, SlowStart, TicketKey } from '@switchyard/routing'
import type { RestMode } from '@switchyard/worker-runtime'

/** An address to listen on: TCP (`host` undefined: dual-stack) or a unix socket. */
export interface ListenAddress {
  host: string | undefined
  /** 0: the kernel chooses. */
  port: number | undefined
  /** Path of a unix socket; then host and port are undefined. */
  path: string | undefined
  ipv6Only: boolean
  backlog: number
  /** false: route by address alone, without deferred accept, for servers that speak first. */
  peek: boolean
}

/** A named set of workers that run one app. */
export interface PoolSettings {
  name: string
  /** Absolute path of the entry file. */
  app: string
  args: readonly string[]
  execArgv: readonly string[]
  cwd: string
  env: Readonly<Record<string, string>>
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
}

export interface RouteSettings {
  name: string
  match: RouteMatch
  pool: string
  policy: Policy
}

export interface LimitSettings {
  maxHeadBytes: number
  headTimeoutMs: number
  maxUnrouted: number
  maxUnroutedPerAddress: number
  /** Share of the descriptor limit (0 to 1) at which accepting pauses. */
  descriptorShare: number
  lingerTimeoutMs: number
  maxResting: number
  /** How long a request that must be forwarded waits for a worker. */
  forwardTimeoutMs: number
  startTimeoutMs: number
  drainTimeoutMs: number
  restartDelayMs: number
  maxRestartDelayMs: number
  /** From the signal to stop until accepting ends; not ready meanwhile. */
  shutdownDelayMs: number
}

export interface Settings {
  /** The config file, if there is one. */
  file: string | undefined
  /** What logs and the control socket call this balancer by. */
  name: string
  /** Path of the control socket; false: none; undefined: nobody has said, the start chooses. */
  control: string | false | undefined
  /** undefined: listen where the app asks to listen. */
  listen: readonly ListenAddress[] | undefined
  /** The first is the default one. */
  pools: readonly PoolSettings[]
  routes: readonly RouteSettings[]
  /** The policy of the route that serves what no route matches. */
  defaultPolicy: Policy
  /** undefined: no admin page. `explicit`: asked for by the user, so a port in use is an error. */
  admin: { host: string; port: number; explicit: boolean } | undefined
  ticketKeys: readonly TicketKey[]
  trustedProxies: readonly string[]
  clientAddress: KeySource
  limits: LimitSettings
}
