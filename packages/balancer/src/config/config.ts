// The config as a whole: what a user may write in balancer.config.ts. Each section's options stand in its own file; docs/configuration.md lists all of them.

import * as v from 'valibot'
import { type AccessLogConfig, accessLog } from './access-log-options.ts'
import { insightEntries } from './insight-options.ts'
import { type LimitConfig, limitEntries } from './limit-options.ts'
import { type ListenConfig, listen, unbalanced } from './listen-options.ts'
import { type LogsConfig, logs } from './log-options.ts'
import { type PolicyConfig, policy } from './policy-options.ts'
import { type PoolConfig, pools } from './pool/pool-options.ts'
import { type HealthConfig, primaryEntries } from './primary-options.ts'
import { type RouteConfig, routes } from './route-options.ts'
import { shape, text } from './schema.ts'
import { secrets } from './secret.ts'
import { type SessionsConfig, sessionEntries } from './session-options.ts'

export type { AccessLogConfig } from './access-log-options.ts'
export type { ListenConfig, ListenOptions } from './listen-options.ts'
export type { LogRotationConfig, LogsConfig } from './log-options.ts'
export type { PolicyConfig } from './policy-options.ts'
export type { AutoscaleConfig } from './pool/autoscale-options.ts'
export type { OutlierConfig } from './pool/outlier-options.ts'
export type { MemoryConfig, PoolConfig, QueueConfig, ReloadConfig, SlowStartConfig } from './pool/pool-options.ts'
export type { HealthProbeConfig, ProbeConfig } from './pool/probe-options.ts'
export type { HealthConfig } from './primary-options.ts'
export type { RouteConfig } from './route-options.ts'
export type { SizeConfig } from './schema.ts'
export type { SessionsConfig } from './session-options.ts'

export interface BalancerConfig extends LimitConfig {
  /** Entry file of every pool without one. Relative to the folder of the config file. */
  app?: string | undefined
  /** Default: where the app listens. */
  listen?: ListenConfig | readonly ListenConfig[] | undefined
  /** Addresses of app servers that are not balanced, such as debug and metrics servers: `[9464]`. Default `[]`. */
  unbalanced?: readonly ListenConfig[] | undefined
  /** The first is the default one. Default: one pool, `web`. */
  pools?: Readonly<Record<string, PoolConfig>> | undefined
  /** The first match wins. Requests that match none go to the first pool. */
  routes?: readonly RouteConfig[] | undefined
  /** Policy of routes without one. Default `leastBusy()`. */
  policy?: PolicyConfig | undefined
  /** Where metrics, health and status are served; false: nowhere. Default `'127.0.0.1:9400'`. */
  admin?: number | string | false | undefined
  /** Host names under which the admin page answers, beside addresses and localhost. Default `[]`. */
  adminHosts?: readonly string[] | undefined
  /** Health checks of orchestrators on the listeners of the app: `{ path: '/healthz' }`. Default: none. */
  health?: HealthConfig | undefined
  /** Path of the unix socket through which the command line reaches the balancer; false: none. Default: derived from the path of the config. */
  control?: string | false | undefined
  /** Name of this balancer in logs and on the control socket. Default: the name of the config's folder. */
  name?: string | undefined
  /** Log files of the workers' output. Default: none, and the output goes where the log goes. */
  logs?: LogsConfig | undefined
  /** A line for each request that a worker serves. Default: none. */
  accessLog?: AccessLogConfig | undefined
  /** Signs tickets; two for a change of secret: `[current, previous]`. Default: `SWITCHYARD_SECRET`, else a random one at each start. */
  secret?: string | readonly [current: string, previous?: string] | undefined
  /** Sessions that all workers share. Default: in Redis if `SWITCHYARD_REDIS_URL` is set, else in the memory of the primary. */
  sessions?: SessionsConfig | undefined
  /** Addresses (CIDR) of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are trusted. */
  trustedProxies?: readonly string[] | undefined
  /** Record the last 1,000 decisions from the start on. Default false: recording begins when `balancer decisions` is first run. */
  decisions?: boolean | undefined
  /** Addresses (CIDR) of clients whose responses get a field `X-Switchyard-Explain`. Default none. */
  explainTo?: readonly string[] | undefined
  /** Say what could be done better, from what is seen: `balancer advise`, the log and the dashboard. Default true. */
  advice?: boolean | undefined
}

/** Returns the config unchanged. Lets an editor check and complete its types. */
export function defineConfig(config: BalancerConfig): BalancerConfig {
  return config
}

export const configEntries = {
  app: v.optional(text),
  listen,
  unbalanced,
  pools,
  routes,
  policy,
  ...primaryEntries,
  ...insightEntries,
  logs,
  accessLog,
  secret: secrets,
  sessions: v.optional(shape(sessionEntries)),
  ...limitEntries,
}

export const configSchema = shape(configEntries, 'an object (is there an `export default`?)')
