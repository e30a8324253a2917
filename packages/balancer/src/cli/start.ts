// `balancer start`: brings the balancer and its admin page up, follows its events in the log, and ends them in order.

import { type AdminResult, startAdmin } from '../admin/admin-server.ts'
import { formatAddress, parseHostPort } from '../config/listen.ts'
import type { BalancerStatus, PoolStatus } from '../status.ts'
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
  const { settings } = await readSettings(options, io)
  const balancer = await io.createBalancer(settings)
  const log = createLog({ output: io.stdout, level: options.logLevel, pretty: options.pretty ?? io.stdout.isTTY === true })
  followEvents(balancer.events, log)
  const watch = new StopWatch(balancer, io.signals, log)
  let admin: AdminResult | undefined
  try {
    admin = settings.admin === undefined ? undefined : await startAdmin(settings.admin, balancer)
    if (admin?.warning !== undefined) log.logger.warn(admin.warning)
    await watch.orStopped(balancer.start())
    if (!watch.stopping) announce(log, balancer, admin)
    return await watch.stopped
  } finally {
    watch.release()
    await admin?.close()
    await log.flush()
  }
}

function announce(log: Log, balancer: RunningBalancer, admin: AdminResult | undefined): void {
  const { addresses, pools } = balancer.status()
  const metrics = admin?.url === undefined ? undefined : `${admin.url}/metrics`
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
