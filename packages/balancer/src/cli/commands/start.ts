// `balancer start`: opens the admin page and the control socket, starts the balancer, logs its events, and stops everything in order.

import type { ControlServer } from '../../control/control-server.ts'
import type { BalancerStatus } from '../../status.ts'
import type { Startup } from '../../upgrade/startup.ts'
import { type Overrides, type ReadSettings, readSettings } from '../command-settings.ts'
import { LaunchReport } from '../detached/launch-report.ts'
import type { CliIo } from '../io.ts'
import { logLevelOf } from '../log-level.ts'
import { AdminPage } from '../running/admin-page.ts'
import { AdviceAccess } from '../running/advice-access.ts'
import { Announcement } from '../running/announcement.ts'
import { startControl } from '../running/control-access.ts'
import { DashboardAccess } from '../running/dashboard-access.ts'
import { type FileWatch, forDevelopment, watchFiles } from '../running/file-watch.ts'
import { LogDestinations } from '../running/log-destinations.ts'
import { followEvents } from '../running/log-events.ts'
import { preloadNotice } from '../running/preloads.ts'
import { withRunning } from '../running/running-balancers.ts'
import { RunningOperations } from '../running/running-operations.ts'
import { Shutdown } from '../running/shutdown.ts'
import { SystemIntegration } from '../running/system-integration.ts'

export interface StartOptions extends Overrides {
  /** Default: SWITCHYARD_LOG_LEVEL, or info. */
  logLevel?: string | undefined
  /** Default: true if stdout is a terminal. */
  pretty?: boolean | undefined
  /** The log is appended to this file. Default: it goes to stdout. */
  logFile?: string | undefined
  /** The process runs in the background and outlives the login session that it was started in. */
  detached?: boolean | undefined
  /** Reload when a file changes. */
  watch?: boolean | undefined
  /** Paths to watch; implies `watch`. Default: the folders of the apps and of the config. */
  watchPath?: readonly string[] | undefined
}

/** Runs until the balancer stops; resolves with the exit code. Throws if the start fails. */
export async function start(options: StartOptions, io: CliIo): Promise<number> {
  const launchReport = LaunchReport.fromEnvironment(io.env)
  const startup = await io.readStartup()
  try {
    return await startFrom({ startup, launchReport }, options, io)
  } catch (error) {
    const detailed = await withRunning(error, options, io)
    startup.sendFailure(detailed)
    launchReport?.sendFailure(detailed)
    throw detailed
  }
}

interface StartedBy {
  startup: Startup
  /** A command waits for this detached process. */
  launchReport: LaunchReport | undefined
}

async function startFrom({ startup, launchReport }: StartedBy, options: StartOptions, io: CliIo): Promise<number> {
  const isWatching = options.watch === true || options.watchPath !== undefined
  const read = async (): Promise<ReadSettings> => {
    const found = await readSettings(options, io)
    const settings = startup.applyTo(found)
    return { ...found, settings: isWatching ? forDevelopment(settings) : settings }
  }
  const startSettings = await read()
  const { settings } = startSettings
  launchReport?.sendStarting(settings.limits.startTimeoutMs)
  const { level, warning } = logLevelOf(options.logLevel, io.env)
  const destinations = await LogDestinations.open({ settings, logFile: options.logFile, level, pretty: options.pretty, io })
  io.ignoreClosedOutput()
  const balancer = await io.createBalancer(settings, startup)
  const { log } = destinations
  balancer.readLogStatus = () => ({ log: log.status ?? null, accessLog: destinations.accessStatus })
  balancer.events.on('requestsLogged', (lines) => destinations.writeAccess(lines))
  followEvents(balancer.events, log)
  balancer.events.once('draining', () => destinations.onHandingOver())
  const warn = (message: string): void => log.logger.warn(message)
  for (const message of [...startup.warnings, ...startSettings.warnings, ...(warning === undefined ? [] : [warning])]) warn(message)
  const preloads = preloadNotice(io.env)
  if (preloads !== undefined) log.logger.info(preloads)
  const duties = new SystemIntegration({
    events: balancer.events,
    extraSockets: balancer.extraSockets,
    status: () => balancer.status(),
    oldPrimaryLink: startup.oldPrimaryLink,
    stopTimeoutMs: settings.limits.drainTimeoutMs + Math.max(0, ...settings.pools.map(({ stopTimeoutMs }) => stopTimeoutMs ?? 0)),
    env: io.env,
    pid: process.pid,
    warn,
  })
  const shutdown = new Shutdown(balancer, io.signals, log, settings.limits.shutdownDelayMs)
  balancer.isStopping = () => shutdown.isStopping
  const operations = new RunningOperations({ balancer, shutdown, readSettings: read, startSettings, log })
  // A lost terminal sends SIGHUP too, and then it keeps its old meaning: stop.
  const onSighup = (): void => (io.hasLostTerminal() ? shutdown.stop('the terminal is gone') : operations.requestReload('SIGHUP'))
  io.signals.on('SIGHUP', onSighup)
  const onSigusr2 = (): void => destinations.reopen()
  io.signals.on('SIGUSR2', onSigusr2)
  const advice = new AdviceAccess({ balancer })
  const readAdvice = () => advice.read()
  const dashboard = new DashboardAccess({ settings, balancer, operations, log, adminUrl: () => admin.url, readAdvice })
  const openControl = () =>
    startControl({
      settings,
      balancer,
      operations,
      log,
      logFiles: destinations.report,
      createLink: () => dashboard.createLink(),
      readAdvice,
      io,
      takeOver: io.isNewPrimary,
      isDetached: options.detached === true,
    })
  const admin = new AdminPage({
    address: settings.admin,
    balancer,
    sockets: startup.sockets,
    isStopping: () => shutdown.isStopping,
    warn,
    dashboard,
  })
  let control: ControlServer | undefined
  let files: FileWatch | undefined
  let announcement: Announcement | undefined
  try {
    await admin.open()
    // A new primary takes over the control socket when it serves. Until then the old primary answers.
    if (!io.isNewPrimary) control = await openControl()
    await shutdown.untilStarted(balancer.start())
    if (!shutdown.isStopping) {
      await admin.openTakenOver()
      if (io.isNewPrimary) control = await openControl()
      startup.closeUnclaimed().forEach(warn)
      startup.sendSettled()
      announcement = new Announcement({ balancer, log, adminUrl: admin.url, control: control?.path })
      balancer.events.once('draining', () => announcement?.release())
      launchReport?.sendReady({
        name: settings.name,
        pid: process.pid,
        ...addressesOf(balancer.status()),
        admin: admin.url ?? null,
        control: control?.path ?? null,
      })
      if (isWatching)
        files = await watchFiles({ settings, paths: options.watchPath, envFile: options.environment, operations, log, cwd: io.cwd })
      operations.allowReloads()
      dashboard.start()
      advice.start()
    }
    return await shutdown.stopped
  } finally {
    io.signals.off('SIGHUP', onSighup)
    announcement?.release()
    shutdown.release()
    duties.end()
    await files?.close()
    await control?.close()
    dashboard.close()
    advice.close()
    await admin.close()
    await destinations.close()
    io.signals.off('SIGUSR2', onSigusr2)
  }
}

function addressesOf({ addresses, tlsAddresses }: BalancerStatus): Pick<BalancerStatus, 'addresses' | 'tlsAddresses'> {
  return { addresses, tlsAddresses }
}
