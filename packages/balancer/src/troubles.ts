// What is unhealthy about a balancer at one moment, the worst first, each with its reason. Pure, for the command line and for pages.

import { duration } from './duration.ts'
import type { BalancerStatus, PoolStatus, WorkerStatus } from './status.ts'

/** `down`: requests fail. `failing`: a worker is missing or stuck. `watch`: worth a look, or intended. */
export type Severity = 'down' | 'failing' | 'watch'

export interface Trouble {
  readonly severity: Severity
  /** A worker such as `web/0`, a pool, or the balancer. */
  readonly subject: string
  /** One sentence or more, without the subject, such as `has no ready worker.` */
  readonly reason: string
}

/** A status as received: a balancer of an older version leaves fields out. */
export type StatusReport = Pick<BalancerStatus, 'accepting'> &
  Partial<Pick<BalancerStatus, 'log' | 'accessLog'>> & { readonly pools: readonly PoolFacts[] }

type PoolFacts = Pick<PoolStatus, 'name' | 'ready' | 'desired'> &
  Partial<Pick<PoolStatus, 'held' | 'broken' | 'queue'>> & {
    readonly job?: PoolStatus['job'] | undefined
    readonly listens?: boolean | undefined
    readonly finished?: readonly number[] | undefined
    readonly outageMs?: PoolStatus['outageMs'] | undefined
    readonly notStarted?: PoolStatus['notStarted'] | undefined
    readonly workers: readonly WorkerFacts[]
  }

type WorkerFacts = Pick<WorkerStatus, 'slot' | 'state' | 'load'> & {
  readonly retiring?: string | null | undefined
  readonly ejected?: boolean | undefined
  readonly inStateMs?: number | undefined
  readonly sessions?: WorkerStatus['sessions'] | undefined
}

/** A loop turn of this length or more is a trouble. */
export const NOTABLE_BUSY_MS = 1_000
const SEVERITIES: readonly Severity[] = ['down', 'failing', 'watch']

/** All troubles, the worst first. */
export function troublesOf(status: StatusReport): Trouble[] {
  const found: Trouble[] = []
  const add = (severity: Severity, subject: string, reason: string): unknown => found.push({ severity, subject, reason })
  if (!status.accepting) add('down', 'the balancer', 'accepts no connections now.')
  for (const pool of status.pools) {
    addOfPool(pool, add)
    for (const worker of pool.workers) if (worker.state !== 'gone') addOfWorker(`${pool.name}/${worker.slot}`, worker, add)
  }
  const failures = [
    ['the log', status.log],
    ['the access log', status.accessLog],
  ] as const
  for (const [what, log] of failures) if (log?.failure != null) add('failing', what, `can't be written: ${log.failure}.`)
  return SEVERITIES.flatMap((severity) => found.filter((trouble) => trouble.severity === severity))
}

/** One sentence for everything: how many workers are ready, or the worst trouble. */
export function healthSentence(status: StatusReport, troubles: readonly Trouble[] = troublesOf(status)): string {
  // A pool with a schedule has processes at times only.
  const lasting = status.pools.filter(({ job }) => job == null)
  const ready = lasting.reduce((sum, pool) => sum + pool.ready, 0)
  const desired = lasting.reduce((sum, pool) => sum + pool.desired, 0)
  const [worst] = troubles
  if (worst === undefined || worst.severity === 'watch')
    return ready === desired
      ? `Healthy: ${desired === 1 ? 'the worker is' : `all ${desired} workers are`} ready.`
      : `${ready} of ${desired} workers are ready.`
  const more = troubles.filter(({ severity }) => severity !== 'watch').length - 1
  return `${worst.severity === 'down' ? 'DOWN' : 'FAILING'}: ${worst.subject} ${worst.reason}${more > 0 ? ` And ${more} more.` : ''}`
}

type Add = (severity: Severity, subject: string, reason: string) => unknown

function addOfPool(pool: PoolFacts, add: Add): void {
  const { name, ready, desired, held = [], broken = [], finished = [], outageMs, notStarted = [], queue, job, listens = true } = pool
  const queued = queue?.length ?? 0
  if (outageMs != null) add('down', name, `has had no worker for ${duration(outageMs)}. The balancer keeps trying to start one.`)
  else if (ready === 0 && job == null) {
    if (listens && desired > 0) add('down', name, 'has no ready worker.')
    // A worker that has ended for good, or was taken out, is as intended.
    else if (desired > finished.length + held.length) add('failing', name, 'has no ready worker.')
  }
  for (const slot of broken)
    add(
      'failing',
      `${name}/${slot}`,
      `has failed too often and is not started again: 'balancer logs ${name}/${slot}' shows why, 'balancer restart ${name}/${slot}' starts it.`,
    )
  for (const { slot, message, times, retryInMs } of notStarted) {
    const next = retryInMs === null ? '' : ` Next try in ${duration(retryInMs)}.`
    add('failing', `${name}/${slot}`, `could not be started${times === 1 ? '' : `, ${times} times`}: ${message}.${next}`)
  }
  if (queued > 0) add('watch', name, `has ${queued} connection${queued === 1 ? '' : 's'} waiting for a worker.`)
  for (const slot of finished)
    add('watch', `${name}/${slot}`, `has ended for good (stopExitCodes): 'balancer restart ${name}/${slot}' starts it again.`)
  for (const slot of held) add('watch', `${name}/${slot}`, `was taken out of service: 'balancer restart ${name}/${slot}' brings it back.`)
}

function addOfWorker(subject: string, { load, state, ejected, retiring, sessions }: WorkerFacts, add: Add): void {
  if (load.busyMs >= NOTABLE_BUSY_MS) add('failing', subject, `has an event loop that is blocked for ${duration(load.busyMs)}.`)
  if (ejected === true) add('failing', subject, 'gets no connections for a while, because it does worse than the others.')
  if (sessions?.state === 'down') add('failing', subject, 'does not reach the session store.')
  if (state !== 'draining' && retiring != null) add('watch', subject, `will be replaced: ${retiring}.`)
}
