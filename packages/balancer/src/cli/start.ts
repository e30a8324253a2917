// `balancer start`: brings the balancer, its admin page and its control socket up, follows its events in the log, and ends them in order.

import type { ControlServer } from '../admin/control-server.ts'
import type { BalancerStatus, PoolStatus } from '../status.ts'
import { SystemDuties } from '../system/duties.ts'
import type { Inheritance } from '../upgrade/inheritance.ts'
import { AdminPage } from './admin-page.ts'
import { startControl } from './control.ts'
import { followEvents } from './events.ts'
import { type FileWatch, forDevelopment, watchFiles } from './file-watch.ts'
import { heedHangUp } from './hang-up.ts'
import type { CliIo, RunningBalancer } from './io.ts'
import { createLog, type Log } from './log.ts'
import { logLevelOf } from './log-level.ts'
import { Reloader } from './reloader.ts'
import { type Overrides, type ReadSettings, readSettings } from './settings.ts'
import { StopWatch } from './stop-watch.ts'
import { urlOf } from './url.ts'

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
  const inheritance = await io.inherit()
  try {
    return await startFrom(inheritance, options, io)
  } catch (error) {
    inheritance.fail(error)
    throw error
  }
}

async function startFrom(inheritance: Inheritance, options: StartOptions, io: CliIo): Promise<number> {
  const watched = options.watch === true || options.watchPath !== undefined
  const read = async (): Promise<ReadSettings> => {
    const found = await readSettings(options, io)
    const settings = inheritance.applyTo(found)
    return { ...found, settings: watched ? forDevelopment(settings) : settings }
  }
  const started = await read()
  const { settings } = started
  io.outliveOutput()
  const balancer = await io.createBalancer(settings, inheritance)
  const { level, warning } = logLevelOf(options.logLevel, io.env)
  const log = createLog({ output: io.stdout, level, pretty: options.pretty ?? io.stdout.isTTY === true })
  followEvents(balancer.events, log)
  const warn = (message: string): void => log.logger.warn(message)
  for (const told of [...inheritance.warnings, ...started.warnings, ...(warning === undefined ? [] : [warning])]) warn(told)
  const duties = new SystemDuties({
    events: balancer.events,
    estate: balancer.estate,
    status: () => balancer.status(),
    predecessor: inheritance.predecessor,
    stopTimeoutMs: settings.limits.drainTimeoutMs + Math.max(0, ...settings.pools.map(({ stopTimeoutMs }) => stopTimeoutMs ?? 0)),
    env: io.env,
    pid: process.pid,
    warn,
  })
  const watch = new StopWatch(balancer, io.signals, log, settings.limits.shutdownDelayMs)
  let isUp = false
  const isBusy = (): string | undefined => (watch.stopping ? 'it is stopping' : isUp ? undefined : 'it is still starting')
  const reloader = new Reloader({ balancer, read, started, log, isBusy })
  const release = heedHangUp(io, { reload: () => reloader.request('SIGHUP'), stop: () => watch.stop('the terminal has gone') })
  const openControl = () => startControl({ settings, balancer, reloader, watch, log, io, takeOver: io.isSuccessor })
  const admin = new AdminPage({ address: settings.admin, balancer, sockets: inheritance.sockets, isStopping: () => watch.stopping, warn })
  let control: ControlServer | undefined
  let files: FileWatch | undefined
  try {
    await admin.open()
    // A successor takes the socket over when it serves: until then it is the predecessor that answers.
    if (!io.isSuccessor) control = await openControl()
    await watch.orStopped(balancer.start())
    if (!watch.stopping) {
      await admin.openInherited()
      if (io.isSuccessor) control = await openControl()
      isUp = true
      inheritance.leaveRest().forEach(warn)
      inheritance.settled()
      announce(log, balancer, admin.url, control)
      if (watched) files = watchFiles({ settings, paths: options.watchPath, envFile: options.environment, reloader, log, cwd: io.cwd })
      reloader.resume()
    }
    return await watch.stopped
  } finally {
    release()
    watch.release()
    duties.end()
    await files?.close()
    await control?.close()
    await admin.close()
    await log.flush()
  }
}

function announce(log: Log, balancer: RunningBalancer, adminUrl: string | undefined, control: ControlServer | undefined): void {
  const { addresses, pools } = balancer.status()
  const metrics = adminUrl === undefined ? undefined : `${adminUrl}/metrics`
  log.logger.info(
    { addresses, pools: Object.fromEntries(pools.map(({ name, ready }) => [name, ready])), metrics, control: control?.path },
    summary({ addresses, pools }, metrics),
  )
}

/** One line for a person who wants to know where to point the browser. */
export function summary({ addresses, pools }: Pick<BalancerStatus, 'addresses' | 'pools'>, metrics: string | undefined): string {
  const parts = [addresses.map(urlOf).join(' '), ...pools.map(workersOf), ...(metrics === undefined ? [] : [`metrics ${metrics}`])]
  return `ready: ${parts.filter((part) => part !== '').join(' · ')}`
}

/** The others may still be starting: one ready worker in each pool is enough to begin. */
function workersOf({ name, ready, desired }: PoolStatus): string {
  return `${name} ${ready < desired ? `${ready} of ` : ''}${desired} ${desired === 1 ? 'worker' : 'workers'}`
}
