// `balancer start`: brings the balancer, its admin page and its control socket up, follows its events in the log, and ends them in order.

import type { ControlServer } from '../../control/control-server.ts'
import { SystemDuties } from '../../system/duties.ts'
import type { Startup } from '../../upgrade/startup.ts'
import { type Overrides, type ReadSettings, readSettings } from '../command-settings.ts'
import type { CliIo } from '../io.ts'
import { createLog } from '../log.ts'
import { logLevelOf } from '../log-level.ts'
import { AdminPage } from '../running/admin-page.ts'
import { Announcement } from '../running/announcement.ts'
import { startControl } from '../running/control-access.ts'
import { type FileWatch, forDevelopment, watchFiles } from '../running/file-watch.ts'
import { followEvents } from '../running/log-events.ts'
import { Reloader } from '../running/reloader.ts'
import { withRunning } from '../running/running-balancers.ts'
import { Shutdown } from '../running/shutdown.ts'
import { handleSighup } from '../running/sighup.ts'

export interface StartOptions extends Overrides {
  /** Left out: as the environment says. */
  logLevel?: string | undefined
  /** Left out: when stdout is a terminal. */
  pretty?: boolean | undefined
  /** Reload when a file changes. */
  watch?: boolean | undefined
  /** Where to look for changes; implies `watch`. Left out: the folders of the apps and of the config. */
  watchPath?: readonly string[] | undefined
}

/** Runs until it is told to stop; resolves with the exit code. Throws what kept it from starting. */
export async function start(options: StartOptions, io: CliIo): Promise<number> {
  const startup = await io.inherit()
  try {
    return await startFrom(startup, options, io)
  } catch (error) {
    const told = await withRunning(error, options, io)
    startup.fail(told)
    throw told
  }
}

async function startFrom(startup: Startup, options: StartOptions, io: CliIo): Promise<number> {
  const watched = options.watch === true || options.watchPath !== undefined
  const read = async (): Promise<ReadSettings> => {
    const found = await readSettings(options, io)
    const settings = startup.applyTo(found)
    return { ...found, settings: watched ? forDevelopment(settings) : settings }
  }
  const started = await read()
  const { settings } = started
  io.outliveOutput()
  const balancer = await io.createBalancer(settings, startup)
  const { level, warning } = logLevelOf(options.logLevel, io.env)
  const log = createLog({ output: io.stdout, level, pretty: options.pretty ?? io.stdout.isTTY === true })
  followEvents(balancer.events, log)
  const warn = (message: string): void => log.logger.warn(message)
  for (const told of [...startup.warnings, ...started.warnings, ...(warning === undefined ? [] : [warning])]) warn(told)
  const duties = new SystemDuties({
    events: balancer.events,
    extraSockets: balancer.extraSockets,
    status: () => balancer.status(),
    oldPrimaryLink: startup.oldPrimaryLink,
    stopTimeoutMs: settings.limits.drainTimeoutMs + Math.max(0, ...settings.pools.map(({ stopTimeoutMs }) => stopTimeoutMs ?? 0)),
    env: io.env,
    pid: process.pid,
    warn,
  })
  const watch = new Shutdown(balancer, io.signals, log, settings.limits.shutdownDelayMs)
  let isUp = false
  const isBusy = (): string | undefined => (watch.stopping ? 'it is stopping' : isUp ? undefined : 'it is still starting')
  const reloader = new Reloader({ balancer, read, started, log, isBusy })
  const release = handleSighup(io, { reload: () => reloader.request('SIGHUP'), stop: () => watch.stop('the terminal has gone') })
  const openControl = () => startControl({ settings, balancer, reloader, watch, log, io, takeOver: io.isNewPrimary })
  const admin = new AdminPage({ address: settings.admin, balancer, sockets: startup.sockets, isStopping: () => watch.stopping, warn })
  let control: ControlServer | undefined
  let files: FileWatch | undefined
  let announcement: Announcement | undefined
  try {
    await admin.open()
    // A successor takes the socket over when it serves: until then it is the predecessor that answers.
    if (!io.isNewPrimary) control = await openControl()
    await watch.orStopped(balancer.start())
    if (!watch.stopping) {
      await admin.openTakenOver()
      if (io.isNewPrimary) control = await openControl()
      isUp = true
      startup.leaveRest().forEach(warn)
      startup.settled()
      announcement = new Announcement({ balancer, log, adminUrl: admin.url, control: control?.path })
      balancer.events.once('draining', () => announcement?.release())
      if (watched) files = watchFiles({ settings, paths: options.watchPath, envFile: options.environment, reloader, log, cwd: io.cwd })
      reloader.resume()
    }
    return await watch.stopped
  } finally {
    release()
    announcement?.release()
    watch.release()
    duties.end()
    await files?.close()
    await control?.close()
    await admin.close()
    await log.flush()
  }
}
