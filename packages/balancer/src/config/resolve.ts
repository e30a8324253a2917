// Turns a config into settings: looks for every fault first, then fills in the defaults. Below this nothing can be wrong with a setting.

import { basename, resolve } from 'node:path'
import { clientAddress, type Policy, type RouteMatch, routeName } from '@switchyard/routing'
import { BalancerError } from '../errors.ts'
import type { LimitSettings, ListenAddress, PoolSettings, RouteSettings, Settings } from '../settings.ts'
import { findApp, whyNoApp, whyNotRunnable } from './app.ts'
import { crossFaults } from './checks.ts'
import type { BalancerConfig, PoolConfig, RouteConfig } from './config.ts'
import { usableCpus } from './cpus.ts'
import { defaultAdmin, defaultLimits, defaultPoolName } from './defaults.ts'
import { configError, describeFault, type Fault, formatPath } from './faults.ts'
import { parseHostPort, parseListen } from './listen.ts'
import { policyOf } from './policies.ts'
import { poolSettings } from './pool-settings.ts'
import { shapeFaults } from './schema.ts'
import { secretsIn, secretsOf, ticketKeysOf } from './secret.ts'
import { sessionSettings } from './session-options.ts'
import { thisMachinesUsers, type UserSource } from './users.ts'

export interface ResolveContext {
  /** What relative paths in the config start from. */
  folder: string
  /** The config file: for faults, and for workers that must load it. */
  file?: string | undefined
  env?: NodeJS.ProcessEnv | undefined
  /** What `'max'` stands for. */
  cpus?: (() => number) | undefined
  users?: UserSource | undefined
}

/** Settings of a config, with every default filled in. Throws one ERR_CONFIG with all faults, or ERR_APP_NOT_FOUND when only apps are missing. */
export function resolveSettings(
  input: unknown,
  { folder, file, env = process.env, cpus = usableCpus, users = thisMachinesUsers }: ResolveContext,
): Settings {
  const faults = [...shapeFaults(input), ...crossFaults(input, { folder, env, users })]
  const apps = new Map(appsOf(input, folder))
  const missing = [...apps.values()].filter((app) => 'fault' in app).map(({ fault }) => fault as Fault)
  if (faults.length > 0) throw configError([...faults, ...missing], file)
  const lost = missing.filter((fault) => fault.kind === 'app-not-found')
  if (missing.length > lost.length) throw configError(missing, file)
  if (lost.length > 0) throw new BalancerError('ERR_APP_NOT_FOUND', lost.map(describeFault).join('\n'), { source: 'app' })

  const config = input as BalancerConfig
  const trustedProxies = config.trustedProxies ?? []
  const limits = limitsOf(config)
  const pools = Object.entries(poolsOf(config)).map(([name, pool]) =>
    poolSettings(name, pool, apps.get(name)?.file as string, { folder, cpus, users, limits }),
  )
  const policies = new Policies(config, trustedProxies)
  const firstPool = (pools[0] as PoolSettings).name
  const ticketKeys = ticketKeysOf(secretsOf(config.secret, env))
  return {
    file,
    configVariables: secretsIn(env),
    name: config.name ?? nameOf(folder),
    control: typeof config.control === 'string' ? resolve(folder, config.control) : config.control,
    listen:
      config.listen === undefined
        ? undefined
        : [config.listen].flat().map((one) => (parseListen(one, folder) as { value: ListenAddress }).value),
    unbalanced: (config.unbalanced ?? []).map((one) => (parseListen(one, folder) as { value: ListenAddress }).value),
    pools,
    routes: (config.routes ?? []).map((route) => routeSettings(route, firstPool, policies)),
    defaultPolicy: policies.of(undefined, firstPool),
    admin: adminOf(config.admin),
    ticketKeys,
    sessions: sessionSettings(config.sessions, { folder, env, ticketKeys }),
    hasSessionSecret: config.sessions?.secret !== undefined,
    trustedProxies,
    clientAddress: clientAddress({ trustedProxies }),
    limits,
  }
}

function limitsOf(config: BalancerConfig): LimitSettings {
  const limits = Object.fromEntries(
    Object.entries(defaultLimits).map(([name, value]) => [name, config[name as keyof LimitSettings] ?? value]),
  ) as unknown as LimitSettings
  return { ...limits, hangTimeoutMs: limits.hangTimeoutMs || Number.POSITIVE_INFINITY }
}

function nameOf(folder: string): string {
  const name = basename(folder)
    .replaceAll(/[^\w.-]/g, '-')
    .replace(/^[.-]+/, '')
  return name.slice(0, 63) || 'balancer'
}

type FoundApp = { file: string; fault?: undefined } | { file?: undefined; fault: Fault }

/** The entry file of each pool, or what is wrong with it. Looks at configs with faults too. */
function* appsOf(input: unknown, folder: string): Generator<[string, FoundApp]> {
  if (typeof input !== 'object' || input === null) return
  const config = input as BalancerConfig
  const pools: unknown = poolsOf(config)
  if (typeof pools !== 'object' || pools === null) return
  for (const [name, pool] of Object.entries(pools)) {
    if (typeof pool !== 'object' || pool === null) continue
    const own: unknown = pool.app
    const app = own ?? config.app
    const isShared = config.app !== undefined && (own === undefined || own === config.app)
    const path = isShared ? 'app' : formatPath(['pools', name, 'app'])
    if (app === undefined) yield [name, { fault: { path, message: "no app to run: name its entry file here or in 'app'" } }]
    if (typeof app !== 'string' || app === '') continue
    const file = findApp(app, folder)
    if (file === undefined) yield [name, { fault: { kind: 'app-not-found', path, message: whyNoApp(app, folder) } }]
    else {
      const message = whyNotRunnable(file)
      yield [name, message === undefined ? { file } : { fault: { path, message } }]
    }
  }
}

function poolsOf(config: BalancerConfig): Readonly<Record<string, PoolConfig>> {
  return config.pools ?? { [defaultPoolName]: {} }
}

function routeSettings({ pool: poolName, policy, name, ...rest }: RouteConfig, firstPool: string, policies: Policies): RouteSettings {
  const match = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as RouteMatch
  const pool = poolName ?? firstPool
  return { name: name ?? routeName(match), match, pool, policy: policies.of(policy, pool) }
}

/** Routes of one pool that name no policy share one, so that its turns go over all of them. */
class Policies {
  readonly #defaults = new Map<string, Policy>()
  readonly #config: BalancerConfig
  readonly #trustedProxies: readonly string[]

  constructor(config: BalancerConfig, trustedProxies: readonly string[]) {
    this.#config = config
    this.#trustedProxies = trustedProxies
  }

  of(policy: RouteConfig['policy'], pool: string): Policy {
    const scope = { trustedProxies: this.#trustedProxies }
    if (policy !== undefined) return policyOf(policy, scope)
    const shared = this.#defaults.get(pool) ?? policyOf(this.#config.policy, scope)
    this.#defaults.set(pool, shared)
    return shared
  }
}

/** The policies of a checked config: one for each route, then the default one. */
export function resolvePolicies(input: unknown): Policy[] {
  const config = input as BalancerConfig
  const policies = new Policies(config, config.trustedProxies ?? [])
  const firstPool = Object.keys(poolsOf(config))[0] as string
  return [...(config.routes ?? []), {}].map(({ policy, pool }: RouteConfig) => policies.of(policy, pool ?? firstPool))
}

function adminOf(admin: BalancerConfig['admin']): Settings['admin'] {
  if (admin === false) return undefined
  if (admin === undefined) return { ...defaultAdmin, explicit: false }
  if (typeof admin === 'number') return { host: defaultAdmin.host, port: admin, explicit: true }
  const { host, port } = (parseHostPort(admin) as { value: { host: string | undefined; port: number } }).value
  // A port alone stays on loopback; another host must be written out.
  return { host: host ?? defaultAdmin.host, port, explicit: true }
}
