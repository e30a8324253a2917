// From a command line to settings: reads the config, lays the options over it, checks the whole.

import { resolve } from 'node:path'
import type { BalancerConfig } from '../config/config.ts'
import { type LoadedConfig, loadConfig, withVariables } from '../config/load-config.ts'
import { pm2AdviceIn } from '../config/pm2-file.ts'
import { DEFAULT_POOL_NAME } from '../config/pool/pool-options.ts'
import { resolveSettings } from '../config/resolve.ts'
import { SECRET_VARIABLE, secretsOf } from '../config/secret.ts'
import { sessionUrlOf } from '../config/session-url.ts'
import { BalancerError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { readEnvFile } from './env-file.ts'
import type { CliIo } from './io.ts'

/** What a command line may say of the config. All of it concerns the first pool or the whole. */
export interface Overrides {
  config?: string | undefined
  app?: string | undefined
  appArgs?: readonly string[] | undefined
  instances?: number | 'max' | undefined
  listen?: readonly string[] | undefined
  admin?: string | false | undefined
  control?: string | false | undefined
  environment?: string | undefined
}

export interface ReadSettings {
  settings: Settings
  /** false: this start signs tickets with a secret that it made itself. */
  knowsSecret: boolean
  /** One sentence for each thing that is no fault, and hardly what is meant. */
  warnings: readonly string[]
}

/** Settings of a command line, read afresh each time. Throws ERR_CONFIG or ERR_APP_NOT_FOUND. */
export async function readSettings(overrides: Overrides, io: Pick<CliIo, 'cwd' | 'env'>): Promise<ReadSettings> {
  const { cwd, env } = io
  const variables = overrides.environment === undefined ? {} : readEnvFile(resolve(cwd, overrides.environment), env)
  return withVariables(variables, env, async () => {
    const loaded = await loadConfig({ file: overrides.config, folder: cwd })
    if (loaded === undefined && overrides.app === undefined) throw nothingToRun(cwd)
    const config = withOverrides(loaded, overrides, cwd)
    const settings = resolveSettings(config, { folder: loaded?.folder ?? cwd, file: loaded?.file, env })
    const { secret, sessions = {} } = config as BalancerConfig
    const knowsSecret = secretsOf(secret, env).secrets.length > 0
    const { warning } = sessionUrlOf(sessions, env)
    const warnings = [...(warning === undefined ? [] : [warning]), ...warningsOf(settings, knowsSecret)]
    return { settings: withEnvironment(settings, variables), knowsSecret, warnings }
  })
}

function warningsOf({ sessions, hasSessionSecret }: Settings, knowsSecret: boolean): string[] {
  if (sessions.url === undefined || knowsSecret || hasSessionSecret) return []
  return [
    `sessions are kept in Redis, but the secret that signs their ids is a new one at each start: set 'secret' or ${SECRET_VARIABLE}, or for the memory of the primary 'sessions: { url: false }'`,
  ]
}

/** Workers have the variables of the file, but for the secrets of the balancer, under their pool's own. */
function withEnvironment(settings: Settings, variables: Record<string, string>): Settings {
  const passed = Object.fromEntries(Object.entries(variables).filter(([name]) => !(name in settings.configVariables)))
  if (Object.keys(passed).length === 0) return settings
  return { ...settings, pools: settings.pools.map((pool) => ({ ...pool, env: { ...passed, ...pool.env } })) }
}

function nothingToRun(folder: string): BalancerError {
  const advice = pm2AdviceIn(folder) ?? "Name the app, 'balancer start server.js', or write a balancer.config.ts"
  return new BalancerError('ERR_CONFIG', `There is no app and no config here. ${advice}`, { source: 'config' })
}

/** Lays the options over a config that is not checked yet: what is wrong in it stays in it, for the check. */
function withOverrides(loaded: LoadedConfig | undefined, overrides: Overrides, cwd: string): unknown {
  const { app, appArgs = [], instances, listen, admin, control } = overrides
  const input = loaded === undefined ? {} : loaded.config
  if (!isObject(input)) return input
  const config: BalancerConfig = { ...input }
  const entry = app === undefined ? undefined : resolve(cwd, app)
  if (entry !== undefined) config.app = entry
  if (listen !== undefined)
    config.listen = listen.map((address) => (address.startsWith('unix:') ? resolve(cwd, address.slice('unix:'.length)) : address))
  if (admin !== undefined) config.admin = admin
  if (control !== undefined) config.control = control === false ? false : resolve(cwd, control)
  const pools: unknown = config.pools ?? { [DEFAULT_POOL_NAME]: {} }
  const [name] = isObject(pools) ? Object.keys(pools) : []
  const first = isObject(pools) && name !== undefined ? pools[name] : undefined
  if (name !== undefined && isObject(first)) {
    const changed = {
      ...first,
      ...(entry !== undefined && { app: entry }),
      ...(instances !== undefined && { workers: instances }),
      ...(appArgs.length > 0 && { args: appArgs }),
    }
    config.pools = { ...(pools as object), [name]: changed }
  }
  return config
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
