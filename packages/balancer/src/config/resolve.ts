// Turns a config into settings: collects every fault first, then fills in the defaults. Code that gets settings need not check them.

import { clientAddress } from '@switchyard/routing'
import { BalancerError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { accessLogFaults, accessLogSettings } from './access-log-options.ts'
import { type BalancerConfig, configSchema } from './config.ts'
import { configError, describeFault, type Fault, looseOf } from './faults.ts'
import { insightSettings } from './insight-options.ts'
import { limitFaults, limitSettings } from './limit-options.ts'
import { listenFaults, listenSettings } from './listen-options.ts'
import { logFaults, logSettings } from './log-options.ts'
import { appsOf } from './pool/app.ts'
import { usableCpus } from './pool/cpus.ts'
import { unusedListenFaults } from './pool/job-options.ts'
import { poolFaults, poolSettings, poolsOf } from './pool/pool-options.ts'
import { systemUsers, type UserSource } from './pool/worker-user.ts'
import { primaryFaults, primarySettings } from './primary-options.ts'
import { routeFaults, routeListenerFaults, routeSettings } from './route-options.ts'
import { shapeFaults } from './schema.ts'
import { secretFaults, secretsIn, secretsOf, ticketKeysOf } from './secret.ts'
import { sessionFaults, sessionSettings } from './session-options.ts'
import { passphrasesIn } from './tls-options.ts'
import { withUpstreamPolicies } from './upstream-routes.ts'

export interface ResolveContext {
  /** Relative paths in the config start from it. */
  folder: string
  /** The config file: for faults, and for workers that must load it. */
  file?: string | undefined
  env?: NodeJS.ProcessEnv | undefined
  /** The number of workers that `'max'` stands for. */
  cpus?: (() => number) | undefined
  users?: UserSource | undefined
  /** Where the config was converted from another file: the place there of an option of the config. */
  origins?: ReadonlyMap<string, string> | undefined
}

/**
 * Settings of a config, with every default filled in. Call `loadCronFor` and `loadTlsFor` before. Throws one ERR_CONFIG with all faults, or ERR_APP_NOT_FOUND when only
 * apps are missing.
 */
export function resolveSettings(
  input: unknown,
  { folder, file, env = process.env, cpus = usableCpus, users = systemUsers, origins }: ResolveContext,
): Settings {
  const faults = [...shapeFaults(configSchema, input), ...crossFaults(input, folder, env, users)].map((fault) => inOrigin(fault, origins))
  const apps = new Map(appsOf(input, folder))
  const missing = [...apps.values()].filter((app) => 'fault' in app).map(({ fault }) => inOrigin(fault as Fault, origins))
  if (faults.length > 0) throw configError([...faults, ...missing], file)
  const lost = missing.filter((fault) => fault.kind === 'app-not-found')
  if (missing.length > lost.length) throw configError(missing, file)
  if (lost.length > 0) throw new BalancerError('ERR_APP_NOT_FOUND', lost.map(describeFault).join('\n'), { source: 'app' })

  const config = input as BalancerConfig
  const trustedProxies = config.trustedProxies ?? []
  const limits = limitSettings(config)
  const pools = Object.entries(poolsOf(config.pools)).map(([name, pool]) =>
    poolSettings(name, pool, apps.get(name)?.file as string, { folder, cpus, users, limits }),
  )
  const ticketKeys = ticketKeysOf(secretsOf(config.secret, env))
  return {
    file,
    configVariables: { ...secretsIn(env), ...passphrasesIn(config.listen, env) },
    ...primarySettings(config, folder),
    ...insightSettings(config),
    logs: config.logs && logSettings(config.logs, folder),
    accessLog: accessLogSettings(config.accessLog, config.logs, folder),
    listen: config.listen === undefined ? undefined : listenSettings(config.listen, folder, env),
    unbalanced: listenSettings(config.unbalanced ?? [], folder, env),
    ...withUpstreamPolicies({ pools, ...routeSettings(config, folder) }),
    ticketKeys,
    sessions: sessionSettings(config.sessions, { folder, env, ticketKeys }),
    hasSessionSecret: config.sessions?.secret !== undefined,
    trustedProxies,
    clientAddress: clientAddress({ trustedProxies }),
    limits,
  }
}

/** Names the option in the file that the config was converted from. */
function inOrigin(fault: Fault, origins: ReadonlyMap<string, string> = new Map()): Fault {
  for (let { path } = fault; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) {
    const origin = origins.get(path)
    if (origin !== undefined) return { ...fault, path: path === fault.path ? origin : `${origin} (${fault.path})` }
  }
  return fault
}

/** Faults between options, such as a route to an unknown pool. The config may have faults of shape as well. */
function crossFaults(input: unknown, folder: string, env: NodeJS.ProcessEnv, users: UserSource): Fault[] {
  const config = looseOf(input)
  return [
    ...listenFaults(config, folder, env),
    ...unusedListenFaults(config),
    ...poolFaults(config, users, folder),
    ...routeFaults(config),
    ...routeListenerFaults(config, folder),
    ...primaryFaults(config, folder),
    ...logFaults(config),
    ...accessLogFaults(config),
    ...secretFaults(secretsOf(config.secret, env)),
    ...sessionFaults(looseOf(config.sessions), folder, env),
    ...limitFaults(config),
  ]
}
