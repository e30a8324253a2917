// What a service needs to be told about one balancer: derived from the settings, the command line and the machine.

import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { formatAddress } from '../../config/listen-options.ts'
import { FOLDER_PREFIX, nameOfPlace } from '../../control/control-path.ts'
import { BalancerError } from '../../errors.ts'
import type { ListenAddress } from '../../listener-settings.ts'
import type { Settings } from '../../settings.ts'
import type { Account } from './accounts.ts'

export interface UnitPlan {
  /** Of the units, without their suffix. */
  readonly name: string
  /** A unit of the user's own systemd. */
  readonly isUser: boolean
  readonly folder: string
  /** undefined in a unit of the user. */
  readonly account: Account | undefined
  /** Words of the command that starts the balancer. */
  readonly start: readonly string[]
  /** Words of the command that reloads it. */
  readonly reload: readonly string[]
  /** A folder below /run for the control socket. */
  readonly runtimeFolder: string | undefined
  /** systemd opens these addresses. undefined: the balancer does. */
  readonly sockets: Sockets | undefined
  /** The balancer opens a port below 1024. */
  readonly opensLowPort: boolean
  /** A path of the balancer is below /tmp or /var/tmp, so the service must see the same one as others. */
  readonly needsTmp: boolean
  /** Notifications come from a command, because there is no native module. */
  readonly notifiesByCommand: boolean
  /** For a start and for a reload. */
  readonly startTimeoutS: number
  readonly stopTimeoutS: number
}

export interface Sockets {
  readonly streams: readonly string[]
  readonly backlog: number
  readonly ipv6Only: boolean
}

export interface PlanOptions {
  readonly settings: Settings
  readonly name?: string | undefined
  readonly isUser: boolean
  readonly withSockets: boolean
  /** As written, with its links. */
  readonly folder: string
  readonly account: Account | undefined
  readonly node: string
  /** The file `bin/balancer.js`. */
  readonly entry: string
  /** Arguments of `balancer start`. */
  readonly startArgs: readonly string[]
  /** Options with which other commands find the balancer. */
  readonly findArgs: readonly string[]
  readonly hasNative: boolean
}

const MAX_NAME_LENGTH = 100
const LOW_PORTS_END = 1024
const LEAST_TIMEOUT_S = 60
const STOP_SPARE_MS = 10_000
const START_SPARE_MS = 30_000
/** What an app may take to end if the config does not say: see `stopTimeoutMs`. */
const DEFAULT_STOP_MS = 5_000
/** Links to the running release. Their parent's name says more. */
const RELEASE_LINKS = ['current', 'latest', 'live', 'release']

/** Throws ERR_CONFIG if the settings do not fit the options. */
export function planUnits(options: PlanOptions): UnitPlan {
  const { settings, isUser, folder, account, node, entry, startArgs, findArgs } = options
  const sockets = options.withSockets ? socketsOf(settings) : undefined
  const { limits, pools, control } = settings
  // A user's systemd has a runtime folder for the control socket already.
  const runtimeFolder = isUser || control !== undefined || account === undefined ? undefined : `${FOLDER_PREFIX}${account.uid}`
  const place = { file: settings.file, folder: settings.file === undefined ? folder : dirname(settings.file) }
  const controlArgs = runtimeFolder === undefined ? [] : ['--control', `/run/${runtimeFolder}/${nameOfPlace(place)}.sock`]
  const split = startArgs.indexOf('--')
  const [own, ofApp] = split === -1 ? [startArgs, []] : [startArgs.slice(0, split), startArgs.slice(split)]
  return {
    name: nameOf(options),
    isUser,
    folder,
    account,
    start: [node, entry, 'start', ...own, ...controlArgs, ...ofApp],
    reload: control === false ? [] : [node, entry, 'reload', ...(controlArgs.length > 0 ? controlArgs : findArgs)],
    runtimeFolder,
    sockets,
    opensLowPort: lowPortsOf(settings, sockets !== undefined).length > 0,
    needsTmp: pathsOf(options).some((path) => /^\/(var\/)?tmp\//.test(path)),
    notifiesByCommand: !options.hasNative,
    startTimeoutS: seconds(
      2 * limits.startTimeoutMs +
        limits.drainTimeoutMs +
        pools.reduce((sum, { workers, reload }) => sum + workers * reload.settleMs, 0) +
        START_SPARE_MS,
    ),
    stopTimeoutS: seconds(
      limits.shutdownDelayMs +
        limits.drainTimeoutMs +
        Math.max(...pools.map(({ stopTimeoutMs }) => stopTimeoutMs ?? DEFAULT_STOP_MS)) +
        STOP_SPARE_MS,
    ),
  }
}

function pathsOf({ settings, folder, node, entry }: PlanOptions): string[] {
  const { file, control, listen = [], pools } = settings
  const paths = [folder, node, entry, file, control, ...listen.map(({ path }) => path), ...pools.flatMap(({ app, cwd }) => [app, cwd])]
  return paths.filter((path) => typeof path === 'string')
}

/** The ports below 1024 that the balancer opens itself. */
export function lowPortsOf({ listen = [], admin }: Pick<Settings, 'listen' | 'admin'>, hasSockets: boolean): number[] {
  const ports = [...(hasSockets ? [] : listen.map(({ port }) => port)), admin?.port]
  return ports.filter((port) => port !== undefined && port > 0 && port < LOW_PORTS_END) as number[]
}

function nameOf({ name, settings, folder }: PlanOptions): string {
  const own = RELEASE_LINKS.includes(settings.name) && settings.name === basename(folder) ? basename(dirname(folder)) : settings.name
  const found = name?.replace(/\.(service|socket)$/, '') ?? own
  if (/^[A-Za-z0-9][\w.:-]*$/.test(found) && found.length <= MAX_NAME_LENGTH) return found
  throw new BalancerError(
    'ERR_CONFIG',
    `'${found}' is no name for a service: give one with letters, digits, ., -, : or _, such as --name shop`,
    { source: 'config' },
  )
}

function socketsOf({ listen }: Settings): Sockets {
  const fail = (message: string): never => {
    throw new BalancerError('ERR_CONFIG', message, { source: 'config' })
  }
  if (listen === undefined) return fail("systemd can open the port only if it knows it: set 'listen' in the config, or add --listen")
  const streams = listen.map((address) => {
    const { host, port, path } = address
    if (path !== undefined) return path
    if (port === 0) return fail("with --socket 'listen' needs a port: systemd can't choose one")
    if (host !== undefined && !/^[\d.]+$|:/.test(host)) return fail(`with --socket 'listen' needs an IP address in place of '${host}'`)
    return host === undefined ? String(port) : formatAddress(address)
  })
  return {
    streams,
    backlog: Math.max(...listen.map(({ backlog }: ListenAddress) => backlog)),
    ipv6Only: listen.some(({ ipv6Only }) => ipv6Only),
  }
}

function seconds(ms: number): number {
  return Math.max(LEAST_TIMEOUT_S, Math.ceil(ms / 1000))
}

/** Where package managers install something for one command only. */
const SHORT_LIVED = /\/_npx\/|\/dlx-|\/xfs-[0-9a-f]+\//
const SYSTEM_NODES = ['/usr/bin/node', '/usr/local/bin/node', '/snap/bin/node']

/**
 * The command that the service starts: the installation in its folder, else the one that runs now. Throws ERR_SERVICE if that is a copy in a cache,
 * such as that of npx.
 */
export function entryFor(folder: string, running: string): string {
  const own = join(folder, 'node_modules', '@switchyard', 'balancer', 'bin', 'balancer.js')
  if (existsSync(own)) return own
  if (isAbsolute(running) && !SHORT_LIVED.test(running)) return running
  throw new BalancerError(
    'ERR_SERVICE',
    `The service needs an installation that stays, and ${running} is in a cache: run 'npm install @switchyard/balancer' in ${folder} first`,
    { source: 'system' },
  )
}

/** The path to Node that survives an update of it: that of the system, if it leads to the Node that runs now. */
export function nodeFor(running: string): string {
  return SYSTEM_NODES.find((path) => path !== '' && isSame(path, running)) ?? running
}

function isSame(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other)
  } catch {
    return false
  }
}
