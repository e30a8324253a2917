// `balancer service install`: writes the units for this folder, has systemd verify them, and starts the service. `--print` only prints them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { BalancerError } from '../../errors.ts'
import type { Settings } from '../../settings.ts'
import { type Overrides, readSettings } from '../command-settings.ts'
import type { CliIo } from '../io.ts'
import { printable } from '../printable.ts'
import { type Account, obstacleFor, serviceAccount } from '../service/accounts.ts'
import { alternatives } from '../service/alternatives.ts'
import { installReport } from '../service/install-report.ts'
import { type InstalledUnits, removeUnits, unitsIn, writeUnits } from '../service/installed-units.ts'
import type { ServiceHost } from '../service/service-host.ts'
import { Systemd } from '../service/systemd.ts'
import { entryFor, lowPortsOf, nodeFor, planUnits, type UnitPlan } from '../service/unit-plan.ts'
import { serviceText, socketText } from '../service/unit-text.ts'

export interface InstallOptions extends Overrides {
  /** For the user's own systemd. */
  user?: boolean | undefined
  /** Of the unit. Default: that of the balancer. */
  name?: string | undefined
  /** systemd opens the port. */
  socket?: boolean | undefined
  runAs?: string | undefined
  print?: boolean | undefined
  /** false: only write the units. */
  enable?: boolean | undefined
  logLevel?: string | undefined
}

/** Added to the time that a start may take. */
const SPARE_MS = 15_000

/** Resolves with the exit code. Throws ERR_CONFIG, ERR_SERVICE, or ERR_NO_SYSTEMD. */
export async function installService(options: InstallOptions, io: CliIo, host: ServiceHost): Promise<number> {
  const isUser = options.user === true
  if (isUser && options.runAs !== undefined)
    throw new BalancerError('ERR_CONFIG', 'A service of your own (--user) runs as you: leave out --run-as', { source: 'config' })
  const { settings } = await readSettings(options, io, 'balancer service install')
  const isSystemd = host.hasSystemd()
  if (!isSystemd && options.print !== true) throw noSystemd(options, settings, io, host)
  // Only a primary of root may start workers as the users that the config names.
  const needsRootPrimary = settings.pools.some(({ uid, gid }) => uid !== undefined || gid !== undefined)
  const runAs = options.runAs ?? (needsRootPrimary ? 'root' : undefined)
  const account = isUser ? undefined : await serviceAccount(runAs, io.cwd, host)
  const plan = planOf({ options, settings, account }, io, host)
  const unitFolder = host.unitFolder(isUser)
  const files = filesOf(plan, unitFolder)
  if (options.print === true) {
    io.stdout.write([...files].map(([path, text]) => `# ${path}\n${text}`).join('\n'))
    return 0
  }
  if (!isUser && host.uid !== 0) throw needsRoot(plan, options, host)
  const systemd = new Systemd(host, isUser)
  await systemd.mustAnswer()
  const installed = await ownUnits(plan, unitFolder, isUser, systemd)
  const warnings = [...(await verified(files, systemd)), ...(await warningsOf({ plan, settings, account }, host))]
  // Before the start: if it fails, a warning may name the reason.
  for (const warning of warnings) io.stderr.write(printable(`Warning: ${warning}.\n`))
  const wasActive = installed !== undefined && (await systemd.isActive(`${plan.name}.service`))
  const lostSocket = installed?.socketFile !== undefined && plan.sockets === undefined ? installed.socketFile : undefined
  if (lostSocket !== undefined) {
    if (!wasActive) await systemd.tryControl(['stop', basename(lostSocket)])
    await systemd.tryControl(['disable', basename(lostSocket)])
    removeUnits([lostSocket])
  }
  writeUnits(files)
  await systemd.control(['daemon-reload'])
  if (options.enable !== false) await enableAndStart(plan, wasActive, systemd)
  io.stdout.write(printable(`${(await installReport({ plan, files, wasActive, isEnabled: options.enable !== false }, host)).join('\n')}\n`))
  return 0
}

interface Subject {
  readonly options: InstallOptions
  readonly settings: Settings
  readonly account: Account | undefined
}

function planOf({ options, settings, account }: Subject, io: CliIo, host: ServiceHost): UnitPlan {
  return planUnits({
    settings,
    name: options.name,
    isUser: options.user === true,
    withSockets: options.socket === true,
    folder: io.cwd,
    account,
    node: nodeFor(host.node),
    entry: entryFor(io.cwd, host.entry),
    startArgs: startArguments(options),
    findArgs: findArguments(options),
    hasNative: host.hasNative,
  })
}

function filesOf(plan: UnitPlan, folder: string): Map<string, string> {
  const socket = socketText(plan)
  const service = [join(folder, `${plan.name}.service`), serviceText(plan)] as const
  return new Map(socket === undefined ? [service] : [service, [join(folder, `${plan.name}.socket`), socket]])
}

/** The units that will be overwritten. Throws ERR_SERVICE if the name belongs to another service. */
async function ownUnits(plan: UnitPlan, unitFolder: string, isUser: boolean, systemd: Systemd): Promise<InstalledUnits | undefined> {
  const own = unitsIn(unitFolder, isUser).find(({ name }) => name === plan.name)
  if (own !== undefined && own.folder === plan.folder) return own
  const known = await systemd.show(`${plan.name}.service`, ['LoadState', 'FragmentPath'])
  const path = own?.serviceFile ?? (known.get('LoadState') === 'not-found' ? undefined : known.get('FragmentPath'))
  if (!path) return undefined
  throw new BalancerError(
    'ERR_SERVICE',
    `There is another service '${plan.name}' already${own === undefined ? '' : `, for ${own.folder}`}: ${path}. Choose another name, such as --name ${plan.name}-app`,
    { source: 'system' },
  )
}

/** Has systemd check the units before they are installed. Returns its warnings. Throws ERR_SERVICE. */
async function verified(files: ReadonlyMap<string, string>, systemd: Systemd): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-units-'))
  try {
    const copies = [...files].map(([path, text]) => {
      const copy = join(folder, basename(path))
      writeFileSync(copy, text)
      return copy
    })
    const { faults, warnings } = await systemd.verify(copies)
    if (faults.length === 0) return warnings
    throw new BalancerError('ERR_SERVICE', `systemd refuses the unit, and nothing was installed:\n  ${faults.join('\n  ')}`, {
      source: 'system',
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function warningsOf(
  { plan, settings, account }: Omit<Subject, 'options'> & { plan: UnitPlan },
  host: ServiceHost,
): Promise<string[]> {
  const warnings: string[] = []
  const [node, entry] = plan.start as [string, string]
  const obstacle = account && (await obstacleFor(account, node, [entry, plan.folder, ...settings.pools.map(({ app }) => app)], host))
  if (obstacle !== undefined) warnings.push(obstacle)
  if (account?.uid === 0 && settings.pools.some(({ uid }) => uid === undefined || uid === 0))
    warnings.push('the service runs as root, and its workers too: name another user with --run-as')
  const ports = lowPortsOf(settings, plan.sockets !== undefined)
  if (plan.isUser && ports.length > 0)
    warnings.push(`a service of your own can't open port ${ports.join(' or ')}: install it without --user, or choose a port from 1024`)
  return warnings
}

async function enableAndStart({ name, sockets, startTimeoutS }: UnitPlan, wasActive: boolean, systemd: Systemd): Promise<void> {
  const service = `${name}.service`
  const units = sockets === undefined ? [service] : [service, `${name}.socket`]
  await systemd.control(['enable', ...units])
  // A running service keeps its connections. Its owner chooses when it restarts.
  if (wasActive) return
  try {
    await systemd.control(['start', ...units.toReversed()], startTimeoutS * 1000 + SPARE_MS)
  } catch (error) {
    const state = await systemd.describe(service)
    throw new BalancerError(
      'ERR_SERVICE',
      `${service} is installed, and does not start: ${(error as Error).message}\n${state}\n  systemd tries again, except after a faulty config. 'balancer service uninstall' removes the service`,
      { source: 'system', cause: error },
    )
  }
}

function noSystemd(options: InstallOptions, settings: Settings, io: CliIo, host: ServiceHost): BalancerError {
  const advice = alternatives({
    name: settings.name,
    folder: io.cwd,
    node: nodeFor(host.node),
    entry: host.entry,
    startArgs: startArguments(options),
    user: options.runAs ?? host.sudoUser ?? 'USER',
  })
  return new BalancerError('ERR_NO_SYSTEMD', `systemd does not run on this machine, so there is no service to install.\n${advice}\n `, {
    source: 'system',
  })
}

function needsRoot({ start: [node, entry] }: UnitPlan, options: InstallOptions, host: ServiceHost): BalancerError {
  const args = [
    ...(options.name === undefined ? [] : ['--name', options.name]),
    ...(options.socket ? ['--socket'] : []),
    ...startArguments(options),
  ]
  const command = ['sudo', node ?? host.node, entry ?? host.entry, 'service', 'install', ...args].join(' ')
  return new BalancerError(
    'ERR_SERVICE',
    `Only root may install a service for the machine:\n  ${command}\nOr install one of your own, which needs no rights: balancer service install --user`,
    { source: 'system' },
  )
}

/** The arguments of `balancer start` with the same meaning. */
function startArguments({
  app,
  appArgs = [],
  instances,
  listen = [],
  admin,
  control,
  config,
  environment,
  env,
  only,
  logLevel,
}: InstallOptions): string[] {
  return [
    ...(app === undefined ? [] : [app]),
    ...(instances === undefined ? [] : ['--instances', String(instances)]),
    ...listen.flatMap((address) => ['--listen', address]),
    ...(admin === undefined ? [] : ['--admin', admin === false ? 'off' : admin]),
    ...(environment === undefined ? [] : ['--environment', environment]),
    ...(env === undefined ? [] : ['--env', env]),
    ...(only === undefined ? [] : ['--only', only]),
    ...(logLevel === undefined ? [] : ['--log-level', logLevel]),
    ...(config === undefined ? [] : ['--config', config]),
    ...(control === undefined ? [] : ['--control', control === false ? 'off' : control]),
    ...(appArgs.length === 0 ? [] : ['--', ...appArgs]),
  ]
}

function findArguments({ config, control }: InstallOptions): string[] {
  return [...(config === undefined ? [] : ['--config', config]), ...(typeof control === 'string' ? ['--control', control] : [])]
}
