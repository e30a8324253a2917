// Converts what a file for PM2 says into a config: each app becomes a pool. Each option of the file is taken over, or found to be something else.

import { existsSync } from 'node:fs'
import { basename, dirname, extname, resolve } from 'node:path'
import { BalancerError } from '../../errors.ts'
import type { BalancerConfig } from '../config.ts'
import { configError, didYouMean, type Fault, looseOf, show } from '../faults.ts'
import { defaultLimits } from '../limit-options.ts'
import type { PoolConfig } from '../pool/pool-options.ts'
import type { RouteConfig } from '../route-options.ts'
import { AppDraft, type Pm2Limit } from './app-draft.ts'
import type { Finding } from './finding.ts'
import { convertLifeCycle } from './life-cycle-options.ts'
import { convertLogs } from './log-options.ts'
import { readOptions, type WrittenApp } from './option-names.ts'
import { convertProcess } from './process-options.ts'
import { remark } from './remarks.ts'
import { readFlag } from './values.ts'

const MAX_APPS = 200
const MAX_POOL_NAME = 63
const TOP_LEVEL: Readonly<Record<string, string>> = {
  deploy: "'pm2 deploy' has no counterpart: deploy with the tool of your choice, and then run 'balancer reload'",
  static: 'the balancer serves no files: let the app, a CDN or nginx do that',
}

/** Which part of the file is meant. */
export interface Pm2Choice {
  /** The variables of `env_NAME` apply. */
  readonly env?: string | undefined
  /** Names of apps. Left out: all. */
  readonly only?: readonly string[] | undefined
}

export interface ConvertOptions extends Pm2Choice {
  readonly file: string
  /** Where the command runs, as PM2 starts relative paths there. The folder of the file comes first. */
  readonly cwd: string
  /** Workers run there unless their pool says otherwise. Default: the folder of the file. */
  readonly configFolder?: string | undefined
  readonly cpus: () => number
}

export interface Pm2Conversion {
  readonly config: BalancerConfig
  readonly findings: readonly Finding[]
  /** Names of apps that are left out, because the balancer can't run them. */
  readonly leftOut: readonly string[]
  /** Where an option of the config comes from: `pools.api.workers` → `apps[0].instances`. */
  readonly origins: ReadonlyMap<string, string>
}

/** Throws ERR_CONFIG with every fault of the file. */
export function convertPm2(content: unknown, options: ConvertOptions): Pm2Conversion {
  const { file, env: environment, only } = options
  const folder = options.configFolder ?? dirname(file)
  const { apps, others } = appsIn(content, file)
  const faults: Fault[] = []
  const drafts = draftsOf(apps, options, faults)
  faults.push(...choiceFaults(drafts, options))
  const findings: Finding[] = others.map((option) => ({
    app: undefined,
    option,
    state: 'missing',
    note: TOP_LEVEL[option] ?? 'it is no option of PM2',
  }))
  const chosen = drafts.filter(({ name }) => only === undefined || only.includes(name))
  const runnable = chosen.filter((draft) => isStarted(draft, only) && convertProcess(draft, { environment, folder, cpus: options.cpus }))
  for (const draft of runnable) convertLifeCycle(draft)
  const logs = convertLogs(runnable)
  for (const draft of chosen) remark(draft)
  faults.push(...chosen.flatMap((draft) => draft.faults))
  if (faults.length > 0) throw configError(faults, file)
  const leftOut = chosen.filter((draft) => !runnable.includes(draft))
  if (runnable.length === 0) throw nothingToRun(leftOut, file)
  // The first pool gets what no route matches, so it must listen.
  const ordered = [...runnable].sort((one, other) => Number(doesNotListen(one)) - Number(doesNotListen(other)))
  const routes = routesOf(ordered)
  const config = {
    ...limitsOf(ordered),
    ...(logs !== undefined && { logs }),
    pools: Object.fromEntries(ordered.map(({ poolName, pool }) => [poolName, pool as PoolConfig])),
    ...(routes.length > 0 && { routes }),
  }
  return {
    config,
    findings: [...findings, ...chosen.flatMap((draft) => draft.findings)],
    leftOut: leftOut.map(({ name }) => name),
    origins: new Map(ordered.flatMap(({ origins }) => [...origins])),
  }
}

/** The file is an object with a list `apps` (or `pm2`), a list of apps, or one app. */
function appsIn(content: unknown, file: string): { apps: readonly unknown[]; others: readonly string[] } {
  const whole = looseOf(content)
  const named = whole.apps ?? whole.pm2
  const found = named ?? content
  const apps = Array.isArray(found) ? found : typeof found === 'object' && found !== null && Object.keys(found).length > 0 ? [found] : []
  const names = "It needs 'apps', a list of objects with 'script'"
  if (apps.length === 0) throw fileError(`${file} names no apps. ${names}`)
  if (apps.length > MAX_APPS) throw fileError(`${file} names ${apps.length} apps, and ${MAX_APPS} are the most`)
  const others =
    named === undefined || basename(file) === 'package.json'
      ? []
      : Object.keys(whole).filter((key) => key !== 'apps' && key !== 'pm2' && key !== 'default')
  return { apps, others }
}

function draftsOf(apps: readonly unknown[], options: ConvertOptions, faults: Fault[]): AppDraft[] {
  const poolNames = new Set<string>()
  return apps.flatMap((app, index) => {
    if (typeof app !== 'object' || app === null || Array.isArray(app)) {
      faults.push({ path: `apps[${index}]`, message: `expected an object, got ${show(app)}` })
      return []
    }
    const written = readOptions(app as Record<string, unknown>)
    const name = nameOf(written, index, options)
    if (!written.options.has('script')) {
      faults.push({ path: `apps[${index}].script`, message: 'is missing' })
      return []
    }
    const poolName = poolNameOf(name, poolNames)
    poolNames.add(poolName)
    return [new AppDraft({ written, index, name, poolName, folder: folderOf(written, options) })]
  })
}

function textOf(written: WrittenApp, option: string): string | undefined {
  const value = written.options.get(option)?.value
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

/** As PM2 calls it: by its name, or by the file name of its script. */
function nameOf(written: WrittenApp, index: number, { env }: ConvertOptions): string {
  const script = textOf(written, 'script')
  const own = textOf(written, 'name') ?? (script === undefined ? `app-${index}` : basename(script, extname(script)))
  const appends = env !== undefined && written.options.get('append_env_to_name')?.value === true
  return `${textOf(written, 'name_prefix') ?? ''}${own}${appends ? `-${env}` : ''}`
}

/** A letter, then letters, digits, - or _. No two are the same. */
function poolNameOf(name: string, taken: ReadonlySet<string>): string {
  const plain = name.replaceAll(/[^\w-]+/g, '-').replaceAll(/^-+|-+$/g, '')
  const begun = (/^[A-Za-z]/.test(plain) ? plain : `app-${plain}`).slice(0, MAX_POOL_NAME).replace(/-$/, '')
  let found = begun
  for (let count = 2; taken.has(found); count++) found = `${begun.slice(0, MAX_POOL_NAME - 4)}-${count}`
  return found
}

/** Relative paths start from the folder of the file, or from where the command runs if only that has the script. */
function folderOf(written: WrittenApp, { file, cwd }: ConvertOptions): string {
  const inside = textOf(written, 'cwd') ?? '.'
  const script = textOf(written, 'script') ?? '.'
  const folder = dirname(file)
  return !existsSync(resolve(folder, inside, script)) && existsSync(resolve(cwd, inside, script)) ? cwd : folder
}

function choiceFaults(drafts: readonly AppDraft[], { env, only = [] }: ConvertOptions): Fault[] {
  const names = drafts.map(({ name }) => name)
  const faults = only
    .filter((name) => !names.includes(name))
    .map((name): Fault => ({ path: '--only', message: `there is no app '${name}'${didYouMean(name, names)}` }))
  const environments = new Set(drafts.flatMap(({ written }) => [...written.environments.keys()]))
  if (env === undefined || environments.has(env)) return faults
  const known = environments.size === 0 ? 'no app has variables of this kind' : `there are ${[...environments].join(', ')}`
  return [...faults, { path: '--env', message: `no app has env_${env}${didYouMean(env, environments)}; ${known}` }]
}

/** `autostart: false`: PM2 starts the app only when it is named. */
function isStarted(draft: AppDraft, only: readonly string[] | undefined): boolean {
  if (draft.read('autostart', readFlag) !== false || only?.includes(draft.name) === true) return true
  draft.say('autostart', 'missing', `PM2 would not start it either. The app is left out: name it with --only ${draft.name}`)
  return false
}

function doesNotListen({ pool }: AppDraft): boolean {
  return pool.listens === false || pool.schedule !== undefined
}

/** With several apps, the port of each leads to its pool. */
function routesOf(drafts: readonly AppDraft[]): RouteConfig[] {
  const listening = drafts.filter((draft) => !doesNotListen(draft))
  if (listening.length < 2) return []
  const owners = new Map<number, AppDraft>()
  return listening.flatMap((draft) => {
    const { port, poolName } = draft
    if (port === undefined) return []
    const owner = owners.get(port)
    if (owner !== undefined) {
      draft.say(
        'port',
        'differs',
        `the app '${owner.name}' has port ${port} too and gets its requests. A route by path or host can lead to this one`,
      )
      return []
    }
    owners.set(port, draft)
    return [{ listener: port, pool: poolName }]
  })
}

/** Limits are those of the whole balancer: the largest wish counts. */
function limitsOf(drafts: readonly AppDraft[]): Partial<Record<Pm2Limit | 'maxRestartDelayMs', number>> {
  const limits: Partial<Record<Pm2Limit | 'maxRestartDelayMs', number>> = {}
  for (const { limits: own } of drafts)
    for (const [name, value] of Object.entries(own) as [Pm2Limit, number][]) limits[name] = Math.max(value, limits[name] ?? 0)
  const { restartDelayMs = 0 } = limits
  if (restartDelayMs > defaultLimits.maxRestartDelayMs) limits.maxRestartDelayMs = restartDelayMs
  return limits
}

function nothingToRun(drafts: readonly AppDraft[], file: string): BalancerError {
  const reasons = drafts.map((draft) => {
    const note = draft.findings.find(
      ({ option, state }) => state === 'missing' && /^(script|exec|cmd|command|autostart)$/.test(option),
    )?.note
    return `  ${draft.name}: ${note}`
  })
  return fileError([`${file} has no app that the balancer can run:`, ...reasons].join('\n'))
}

function fileError(message: string): BalancerError {
  return new BalancerError('ERR_CONFIG', message, { source: 'config' })
}
