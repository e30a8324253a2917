// Logs that the balancer is ready: one line with its addresses, and a second line when workers that were still starting are ready too.

import type { BalancerStatus, PoolStatus } from '../../status.ts'
import { counted, urlsOf } from '../format.ts'
import type { RunningBalancer } from '../io.ts'
import type { Log } from '../log.ts'

export interface AnnouncementOptions {
  readonly balancer: Pick<RunningBalancer, 'events' | 'status'>
  readonly log: Log
  readonly adminUrl: string | undefined
  /** Path of the control socket. */
  readonly control: string | undefined
  /** How long the first line waits for the other workers. Default 1000. */
  readonly waitMs?: number | undefined
}

/** Connections are accepted once each pool has one worker. Most other workers are ready within this time, so that one line is enough. */
const WAIT_MS = 1_000

/** Active until `release()`. */
export class Announcement {
  private readonly options: AnnouncementOptions
  private readonly timer: NodeJS.Timeout
  /** The event is emitted just before the status counts the worker. */
  private readonly onReady = (): void => void setImmediate(() => this.logIfComplete())
  private isReadyLogged = false
  private isReleased = false

  constructor(options: AnnouncementOptions) {
    this.options = options
    this.timer = setTimeout(() => this.logReady(), options.waitMs ?? WAIT_MS)
    options.balancer.events.on('workerReady', this.onReady)
    if (missing(options.balancer.status().pools) === 0) this.logReady()
  }

  /** Logs nothing from now on. */
  release(): void {
    this.isReleased = true
    clearTimeout(this.timer)
    this.options.balancer.events.off('workerReady', this.onReady)
  }

  private logIfComplete(): void {
    if (this.isReleased) return
    const { balancer, log } = this.options
    const { pools } = balancer.status()
    if (missing(pools) > 0) return
    if (!this.isReadyLogged) return this.logReady()
    this.release()
    log.logger.info({ pools: readyOf(pools) }, `all workers are ready: ${pools.map(workersOf).join(' · ')}`)
  }

  private logReady(): void {
    clearTimeout(this.timer)
    this.isReadyLogged = true
    const { balancer, log, adminUrl, control } = this.options
    const status = balancer.status()
    const { addresses, pools } = status
    const metrics = adminUrl === undefined ? undefined : `${adminUrl}/metrics`
    log.logger.info({ addresses, pools: readyOf(pools), metrics, control }, summary(status, metrics))
    if (missing(pools) === 0) this.release()
  }
}

/** One line with the URLs to open, the workers, and the metrics page. */
export function summary(status: Pick<BalancerStatus, 'addresses' | 'tlsAddresses' | 'pools'>, metrics: string | undefined): string {
  const { pools } = status
  const late = missing(pools)
  const facts = [
    urlsOf(status).join(' '),
    ...pools.map(workersOf),
    ...(late === 0 ? [] : [`connections are accepted, ${counted(late, 'worker')} ${late === 1 ? 'is' : 'are'} still starting`]),
    ...(metrics === undefined ? [] : [`metrics ${metrics}`]),
  ]
  return `ready: ${facts.filter((fact) => fact !== '').join(' · ')}`
}

function workersOf({ name, ready, desired, job }: PoolStatus): string {
  if (job !== null) return `${name} by schedule`
  return `${name} ${ready < desired ? `${ready} of ` : ''}${counted(desired, 'worker')}`
}

/** Workers that are still starting. A slot that is broken or out of service gets no worker. */
function missing(pools: readonly PoolStatus[]): number {
  return pools.reduce(
    (sum, { ready, desired, held, broken, finished }) => sum + Math.max(0, desired - held.length - broken.length - finished.length - ready),
    0,
  )
}

function readyOf(pools: readonly PoolStatus[]): Record<string, number> {
  return Object.fromEntries(pools.map(({ name, ready }) => [name, ready]))
}
