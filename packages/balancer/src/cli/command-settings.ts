// Makes settings from a command line: reads the config, applies the options to it, and checks the result.

import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import type { BalancerConfig } from '../config/config.ts'
import { type LoadedConfig, loadConfig, withVariables } from '../config/load-config.ts'
import type { Finding } from '../config/pm2/finding.ts'
import { findPm2File, isPm2File } from '../config/pm2-file.ts'
import { loadCronFor } from '../config/pool/job-options.ts'
import { DEFAULT_POOL_NAME } from '../config/pool/pool-options.ts'
import { resolveSettings } from '../config/resolve.ts'
import { SECRET_VARIABLE, secretsOf } from '../config/secret.ts'
import { sessionUrlOf } from '../config/session-url.ts'
import { loadTlsFor } from '../config/tls-options.ts'
import { loopWarnings } from '../config/upstream-routes.ts'
import { BalancerError } from '../errors.ts'
import { spreadWarnings } from '../route-spread.ts'
import type { Settings } from '../settings.ts'
import type { CliIo } from './io.ts'

/** Options of a command line that override the config. Each applies to the first pool or to the whole balancer. */
export interface Overrides {
  config?: string | undefined
  app?: string | undefined
  appArgs?: readonly string[] | undefined
  instances?: number | 'max' | undefined
  listen?: readonly string[] | undefined
  admin?: string | false | undefined
  control?: string | false | undefined
  environment?: string | undefined
  /** For a file for PM2: its `env_NAME` applies. */
  env?: string | undefined
  /** For a file for PM2: names of apps, separated by commas. */
  only?: string | undefined
}

export interface ReadSettings {
  settings: Settings
  /** false: the user gave no secret, and tickets are signed with a generated one. */
  knowsSecret: boolean
  /** One sentence for each setting that is valid but probably not intended. */
  warnings: readonly string[]
}

/** Reads the files at every call. `command` takes an app, and is part of the advice. Throws ERR_CONFIG or ERR_APP_NOT_FOUND. */
export async function readSettings(given: Overrides, io: Pick<CliIo, 'cwd' | 'env'>, command = 'balancer start'): Promise<ReadSettings> {
  const { cwd, env } = io
  const overrides = withConfig(given, cwd)
  const variables = overrides.environment === undefined ? {} : readEnvFile(resolve(cwd, overrides.environment), env)
  return withVariables(variables, env, async () => {
    const pm2 = { env: overrides.env, only: overrides.only?.split(',').map((name) => name.trim()) }
    const loaded = await loadConfig({ file: overrides.config, folder: cwd, pm2 })
    if (loaded === undefined && overrides.app === undefined) throw nothingToRun(cwd, command)
    if (loaded?.pm2 === undefined && (overrides.env ?? overrides.only) !== undefined)
      throw new BalancerError(
        'ERR_CONFIG',
        "--env and --only choose from a file for PM2, and there is none. '--environment FILE' adds variables",
        {
          source: 'config',
        },
      )
    const config = withOverrides(loaded, overrides, cwd)
    await loadCronFor(config)
    await loadTlsFor(config)
    const settings = resolveSettings(config, { folder: loaded?.folder ?? cwd, file: loaded?.file, env, origins: loaded?.pm2?.origins })
    const { secret, sessions = {} } = config as BalancerConfig
    const knowsSecret = secretsOf(secret, env).secrets.length > 0
    const { warning } = sessionUrlOf(sessions, env)
    const ofPm2 = loaded?.pm2 === undefined ? [] : pm2Warnings(loaded.pm2.findings, basename(loaded.file))
    const warnings = [
      ...ofPm2,
      ...(warning === undefined ? [] : [warning]),
      ...warningsOf(settings, knowsSecret),
      ...routeWarnings(settings),
      ...loopWarnings(settings),
      ...spreadWarnings(settings),
    ]
    return { settings: withEnvironment(settings, variables), knowsSecret, warnings }
  })
}

/** A file for PM2 in place of the app is the config: `balancer start ecosystem.config.js`. */
export function withConfig<O extends Overrides>(overrides: O, cwd: string): O {
  const { app, config } = overrides
  if (app === undefined || config !== undefined || !isPm2File(resolve(cwd, app))) return overrides
  return { ...overrides, app: undefined, config: app }
}

/** One line for all options of a file for PM2 that nothing stands for. */
function pm2Warnings(findings: readonly Finding[], file: string): string[] {
  const missing = findings.filter(({ state }) => state === 'missing')
  const [apps, options] = [missing.filter(isLeftOut), missing.filter((finding) => !isLeftOut(finding))]
  const names = [...new Set(options.map(({ option }) => option))].join(', ')
  return [
    ...apps.map(({ app, note }) => `${file}: ${app}: ${note}`),
    ...(names === ''
      ? []
      : [`${file}: nothing here does what these options do: ${names}. 'balancer import ${file}' prints what to do instead`]),
  ]
}

function isLeftOut({ note }: Finding): boolean {
  return note?.includes('The app is left out') === true
}

/**
 * The variables of an environment file (`--environment`) that are not set already: existing variables win, as with Node's `--env-file`.
 * The option has another name than Node's because Node 20 reads `--env-file` even after the script. Throws ERR_CONFIG.
 */
export function readEnvFile(path: string, env: NodeJS.ProcessEnv): Record<string, string> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new BalancerError('ERR_CONFIG', `The environment file can't be read: ${(cause as Error).message}`, { source: 'config', cause })
  }
  const variables = parseEnv(text) as Record<string, string>
  return Object.fromEntries(Object.entries(variables).filter(([name]) => env[name] === undefined))
}

function warningsOf({ sessions, hasSessionSecret }: Settings, knowsSecret: boolean): string[] {
  if (sessions.url === undefined || knowsSecret || hasSessionSecret) return []
  return [
    `sessions are kept in Redis, but each start generates a new secret to sign their ids, so a restart loses them: set 'secret' or ${SECRET_VARIABLE}, or keep sessions in the primary with 'sessions: { url: false }'`,
  ]
}

/** Routes that need a ClientHello, where no address of the config lets one through. */
function routeWarnings({ routes, listen = [] }: Settings): string[] {
  if (listen.length === 0 || listen.some(({ peek, protocol }) => peek !== false && (protocol ?? 'tls') === 'tls')) return []
  return routes.flatMap(({ name, match: { sni, alpn } }) =>
    sni === undefined && alpn === undefined
      ? []
      : [`no connection over 'listen' matches the route ${name}: give an address the protocol 'tls' or 'detect'`],
  )
}

/** Workers get the variables of the file except the balancer's secrets. Variables of the pool win. */
function withEnvironment(settings: Settings, variables: Record<string, string>): Settings {
  const passed = Object.fromEntries(Object.entries(variables).filter(([name]) => !(name in settings.configVariables)))
  if (Object.keys(passed).length === 0) return settings
  return { ...settings, pools: settings.pools.map((pool) => ({ ...pool, env: { ...passed, ...pool.env } })) }
}

function nothingToRun(folder: string, command: string): BalancerError {
  const pm2 = findPm2File(folder)
  const name = pm2 === undefined ? '' : basename(pm2)
  const advice =
    pm2 === undefined
      ? `Name the app, '${command} server.js', or write a balancer.config.ts`
      : `${name} is a file for PM2: '${command} ${name}' runs its apps, and 'balancer import ${name} --write' makes a config of it`
  return new BalancerError('ERR_CONFIG', `There is no app and no config here. ${advice}`, { source: 'config' })
}

/** Applies the options to a config that has not been checked yet. Its faults stay, so that the check reports them. */
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
