// What a balancer that has started says: one line with its addresses, and another one when workers that were still starting then have come up.

import type { BalancerStatus, PoolStatus } from '../../status.ts'
import type { RunningBalancer } from '../io.ts'
import type { Log } from '../log.ts'
import { urlOf } from '../url.ts'
import { counted } from './event-lines.ts'

export interface AnnouncementOptions {
  readonly balancer: Pick<RunningBalancer, 'events' | 'status'>
  readonly log: Log
  readonly adminUrl: string | undefined
  /** Path of the control socket. */
  readonly control: string | undefined
  /** How long the first line waits for the other workers. Default 1000. */
  readonly waitMs?: number | undefined
}

/** The first worker accepts connections at once; most others are ready a moment later, and one line says it all. */
const defaultWaitMs = 1_000

/** From its making to `release()`. */
export class Announcement {
  readonly #options: AnnouncementOptions
  readonly #timer: NodeJS.Timeout
  /** The event comes just before the status counts the worker. */
  readonly #onReady = (): void => void setImmediate(() => this.#workerReady())
  #isTold = false
  #isReleased = false

  constructor(options: AnnouncementOptions) {
    this.#options = options
    this.#timer = setTimeout(() => this.#tell(), options.waitMs ?? defaultWaitMs)
    options.balancer.events.on('workerReady', this.#onReady)
    if (missing(options.balancer.status().pools) === 0) this.#tell()
  }

  /** Nothing is said from now on. */
  release(): void {
    this.#isReleased = true
    clearTimeout(this.#timer)
    this.#options.balancer.events.off('workerReady', this.#onReady)
  }

  #workerReady(): void {
    if (this.#isReleased) return
    const { balancer, log } = this.#options
    const { pools } = balancer.status()
    if (missing(pools) > 0) return
    if (!this.#isTold) return this.#tell()
    this.release()
    log.logger.info({ pools: readyOf(pools) }, `all workers are ready: ${pools.map(workersOf).join(' · ')}`)
  }

  #tell(): void {
    clearTimeout(this.#timer)
    this.#isTold = true
    const { balancer, log, adminUrl, control } = this.#options
    const { addresses, pools } = balancer.status()
    const metrics = adminUrl === undefined ? undefined : `${adminUrl}/metrics`
    log.logger.info({ addresses, pools: readyOf(pools), metrics, control }, summary({ addresses, pools }, metrics))
    if (missing(pools) === 0) this.release()
  }
}

/** One line for a person who wants to know where to point the browser. */
export function summary({ addresses, pools }: Pick<BalancerStatus, 'addresses' | 'pools'>, metrics: string | undefined): string {
  const late = missing(pools)
  const parts = [
    addresses.map(urlOf).join(' '),
    ...pools.map(workersOf),
    ...(late === 0 ? [] : [`connections are accepted, ${counted(late, 'worker')} ${late === 1 ? 'is' : 'are'} still starting`]),
    ...(metrics === undefined ? [] : [`metrics ${metrics}`]),
  ]
  return `ready: ${parts.filter((part) => part !== '').join(' · ')}`
}

function workersOf({ name, ready, desired }: PoolStatus): string {
  return `${name} ${ready < desired ? `${ready} of ` : ''}${desired} ${desired === 1 ? 'worker' : 'workers'}`
}

/** Workers that are still to come: a slot that is broken or out of service gets none. */
function missing(pools: readonly PoolStatus[]): number {
  return pools.reduce((sum, { ready, desired, held, broken }) => sum + Math.max(0, desired - held.length - broken.length - ready), 0)
}

function readyOf(pools: readonly PoolStatus[]): Record<string, number> {
  return Object.fromEntries(pools.map(({ name, ready }) => [name, ready]))
}
