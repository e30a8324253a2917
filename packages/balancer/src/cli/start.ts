// `balancer start`: brings the balancer and its admin page up, follows its events in the log, and ends them in order.

import { formatAddress, parseHostPort } from '../config/listen.ts'
import type { BalancerStatus, PoolStatus } from '../status.ts'
import { SystemDuties } from '../system/duties.ts'
import type { Inheritance } from '../upgrade/inheritance.ts'
import { AdminPage } from './admin-page.ts'
import { followEvents } from './events.ts'
import type { CliIo, RunningBalancer } from './io.ts'
import { createLog, type Log } from './log.ts'
import { type Overrides, readSettings } from './settings.ts'
import { StopWatch } from './stop-watch.ts'

export interface StartOptions extends Overrides {
  logLevel: string
  /** Left out: when stdout is a terminal. */
  pretty?: boolean | undefined
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
  const settings = inheritance.applyTo(await readSettings(options, io))
  const balancer = await io.createBalancer(settings, inheritance)
  const log = createLog({ output: io.stdout, level: options.logLevel, pretty: options.pretty ?? io.stdout.isTTY === true })
  followEvents(balancer.events, log)
  for (const warning of inheritance.warnings) log.logger.warn(warning)
  const duties = new SystemDuties({
    events: balancer.events,
    estate: balancer.estate,
    status: () => balancer.status(),
    predecessor: inheritance.predecessor,
    drainTimeoutMs: settings.limits.drainTimeoutMs,
    env: io.env,
    pid: process.pid,
    warn: (message) => log.logger.warn(message),
  })
  const watch = new StopWatch(balancer, io.signals, log)
  const admin = new AdminPage(settings.admin, balancer, log.logger, inheritance.sockets)
  try {
    await admin.open()
    await watch.orStopped(balancer.start())
    if (!watch.stopping) {
      await admin.openInherited()
      for (const left of inheritance.leaveRest()) log.logger.warn(left)
      announce(log, balancer, admin.url)
    }
    return await watch.stopped
  } finally {
    watch.release()
    duties.end()
    await admin.close()
    await log.flush()
  }
}

function announce(log: Log, balancer: RunningBalancer, adminUrl: string | undefined): void {
  const { addresses, pools } = balancer.status()
  const metrics = adminUrl === undefined ? undefined : `${adminUrl}/metrics`
  log.logger.info(
    { addresses, pools: Object.fromEntries(pools.map(({ name, ready }) => [name, ready])), metrics },
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

/** Where to find an address that means all of this machine's: on localhost. */
function urlOf(address: string): string {
  const parsed = parseHostPort(address)
  if ('fault' in parsed) return address
  const { host, port } = parsed.value
  return `http://${formatAddress({ host: host === undefined || host === '::' || host === '0.0.0.0' ? 'localhost' : host, port })}`
}
