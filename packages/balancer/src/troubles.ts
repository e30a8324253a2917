// What is unhealthy about a balancer at one moment, the worst first, each with its reason. Pure. The command line and the dashboard both speak from here.

import { duration } from './duration.ts'
import { RECENT_S, type Recent } from './recent-failures.ts'
import type { BalancerStatus, PoolStatus, WorkerStatus } from './status.ts'
import { slotName } from './worker-name.ts'

/** `down`: requests fail. `failing`: a worker is missing or stuck. `watch`: worth a look, or intended. */
export type Severity = 'down' | 'failing' | 'watch'

export interface Trouble {
  readonly severity: Severity
  /** A worker such as `web/0`, a pool, or the balancer. */
  readonly subject: string
  /** One sentence or more, without the subject, such as `has no ready worker.` */
  readonly reason: string
}

/** The same for a page: the worst trouble as a sentence, or that there is none. */
export interface Health {
  readonly severity: Severity | 'good'
  readonly sentence: string
  /** The other troubles, the worst first. */
  readonly others: readonly string[]
}

/** A status as received: a balancer of an older version leaves fields out. */
export type StatusReport = Pick<BalancerStatus, 'accepting'> &
  Partial<Pick<BalancerStatus, 'log' | 'accessLog'>> & { readonly pools: readonly PoolFacts[] }

type PoolFacts = Pick<PoolStatus, 'name' | 'ready' | 'desired'> &
  Partial<Pick<PoolStatus, 'held' | 'broken' | 'queue' | 'reloading'>> & {
    readonly job?: PoolStatus['job'] | undefined
    readonly listens?: boolean | undefined
    readonly finished?: readonly number[] | undefined
    readonly outageMs?: PoolStatus['outageMs'] | undefined
    readonly notStarted?: PoolStatus['notStarted'] | undefined
    readonly servers?: PoolStatus['servers'] | undefined
    readonly workers: readonly WorkerFacts[]
  }

type WorkerFacts = LoopFacts &
  Pick<WorkerStatus, 'slot'> & {
    readonly retiring?: string | null | undefined
    readonly ejected?: boolean | undefined
    readonly drainLeftMs?: number | null | undefined
    readonly sessions?: WorkerStatus['sessions'] | undefined
  }

/** What tells whether an event loop turns. */
export interface LoopFacts {
  readonly state: WorkerStatus['state']
  readonly load: Pick<WorkerStatus['load'], 'busyMs'>
  readonly silentMs?: number | undefined
}

/** A loop turn of this length or more is a trouble. */
const NOTABLE_BUSY_MS = 1_000
/** The loop of a healthy worker turns at least once a second, for its own reports. */
const NOTABLE_SILENT_MS = 3_000
/** Fewer failed requests say little. */
const NOTABLE_FAILURES = 5
const NOTABLE_SHARE = 0.02
const MAX_OTHERS = 20
const SEVERITIES: readonly Severity[] = ['down', 'failing', 'watch']

/** For how long the event loop of a worker has been stuck, in ms; 0: it turns. A worker that starts may compute for a while. */
export function stuckMs({ state, load: { busyMs }, silentMs = 0 }: LoopFacts): number {
  if (state === 'starting' || state === 'gone') return 0
  return Math.max(busyMs >= NOTABLE_BUSY_MS ? busyMs : 0, silentMs >= NOTABLE_SILENT_MS ? silentMs : 0)
}

/** All troubles, the worst first. `recent`: what the statuses before this one tell. */
export function troublesOf(status: StatusReport, recent?: Recent): Trouble[] {
  const found: Trouble[] = []
  const add = (severity: Severity, subject: string, reason: string): unknown => found.push({ severity, subject, reason })
  if (!status.accepting) add('down', 'the balancer', 'accepts no connections now.')
  for (const pool of status.pools) {
    addOfPool(pool, add)
    for (const worker of pool.workers) if (worker.state !== 'gone') addOfWorker(workerOf(pool, worker.slot), worker, pool.job == null, add)
    addOfServers(pool, add)
  }
  const failures = [
    ['the log', status.log],
    ['the access log', status.accessLog],
  ] as const
  for (const [what, log] of failures) if (log?.failure != null) add('failing', what, `can't be written: ${log.failure}.`)
  if (recent !== undefined) addRecent(recent, add)
  return SEVERITIES.flatMap((severity) => found.filter((trouble) => trouble.severity === severity))
}

/** A trouble as a sentence. */
export function sentenceOf({ subject, reason }: Trouble): string {
  // The name of a worker or a pool stays as it is.
  const shown = subject.startsWith('the ') ? `T${subject.slice(1)}` : subject
  return `${shown} ${reason}`
}

/** One sentence for everything: how many workers are ready, or the worst trouble. */
export function healthSentence(status: StatusReport, troubles: readonly Trouble[] = troublesOf(status)): string {
  const [worst] = troubles
  if (worst === undefined || worst.severity === 'watch') return `Healthy: ${readiness(status)}`
  const more = troubles.filter(({ severity }) => severity !== 'watch').length - 1
  return `${worst.severity === 'down' ? 'DOWN' : 'FAILING'}: ${worst.subject} ${worst.reason}${more > 0 ? ` And ${more} more.` : ''}`
}

/** What a page shows of it. */
export function healthOf(status: StatusReport, recent?: Recent): Health {
  const [worst, ...others] = troublesOf(status, recent)
  const ready = readiness(status)
  if (worst === undefined) return { severity: 'good', sentence: `${ready.charAt(0).toUpperCase()}${ready.slice(1)}`, others: [] }
  return { severity: worst.severity, sentence: sentenceOf(worst), others: others.slice(0, MAX_OTHERS).map(sentenceOf) }
}

function readiness({ pools }: StatusReport): string {
  // A pool with a schedule has processes at times only.
  const lasting = pools.filter(({ job }) => job == null)
  const ready = lasting.reduce((sum, pool) => sum + pool.ready, 0)
  const desired = lasting.reduce((sum, pool) => sum + pool.desired, 0)
  if (ready !== desired) return `${ready} of ${desired} workers are ready.`
  return desired === 1 ? 'the worker is ready.' : `all ${desired} workers are ready.`
}

type Add = (severity: Severity, subject: string, reason: string) => unknown

/** The name of a worker of the pool. */
function workerOf({ name, servers }: Pick<PoolFacts, 'name' | 'servers'>, slot: number): string {
  return slotName({ pool: name, slot, proxy: servers != null })
}

/** Upstream servers that get no requests. */
function addOfServers({ name, servers }: PoolFacts, add: Add): void {
  if (servers == null) return
  const listed = servers.filter((server) => server.name !== null)
  const serving = listed.filter(({ state }) => state === 'ready')
  if (serving.length === 0 && listed.length > 0) {
    const isHeld = listed.every(({ state }) => state === 'held' || state === 'draining')
    add('down', name, isHeld ? 'has no upstream server in service.' : 'has no upstream server that answers.')
  }
  for (const { slot, state, lastFailure, name: url, proxies, up } of servers) {
    const subject = `${name}/${slot}`
    const why = lastFailure === null ? '' : ` (${lastFailure})`
    if (state === 'ejected') add('failing', subject, `gets no requests for a while, because it has failed them${why}.`)
    else if (state === 'down') add('failing', subject, 'gets no requests, because it fails its probes.')
    else if (state === 'ready' && up < proxies)
      add('failing', subject, `gets no requests from ${proxies - up} of ${proxies} proxy workers${why}.`)
    else if (state === 'held') add('watch', subject, `was taken out of service: 'balancer restart ${subject}' brings it back.`)
    else if (state === 'draining') add('watch', subject, url === null ? 'was removed, and finishes its requests.' : 'is draining.')
  }
}

function addOfPool(pool: PoolFacts, add: Add): void {
  const { name, ready, desired, held = [], broken = [], finished = [], outageMs, notStarted = [], queue, job, listens = true } = pool
  const queued = queue?.length ?? 0
  if (outageMs != null) add('down', name, `has had no worker for ${duration(outageMs)}. The balancer keeps trying to start one.`)
  else if (ready === 0 && job == null) {
    if (listens && desired > 0) add('down', name, 'has no ready worker.')
    // A worker that has ended for good, or was taken out, is as intended.
    else if (desired > finished.length + held.length) add('failing', name, 'has no ready worker.')
  } else if (job == null) addMissing(pool, add)
  for (const slot of broken)
    add(
      'failing',
      workerOf(pool, slot),
      `has failed too often and is not started again: 'balancer logs ${workerOf(pool, slot)}' shows why, 'balancer restart ${workerOf(pool, slot)}' starts it.`,
    )
  for (const { slot, message, times, retryInMs } of notStarted) {
    const next = retryInMs === null ? '' : ` Next try in ${duration(retryInMs)}.`
    add('failing', workerOf(pool, slot), `could not be started${times === 1 ? '' : `, ${times} times`}: ${message}.${next}`)
  }
  if (pool.reloading === true) add('watch', name, 'is being reloaded.')
  else addDraining(pool, add)
  // Late binding lets a connection wait for the first idle loop. More than one for each worker is a lack of workers.
  if (queued > ready) add('watch', name, `has ${queued} connection${queued === 1 ? '' : 's'} waiting for a worker.`)
  for (const slot of finished)
    add('watch', workerOf(pool, slot), `has ended for good (stopExitCodes): 'balancer restart ${workerOf(pool, slot)}' starts it again.`)
  for (const slot of held)
    add('watch', workerOf(pool, slot), `was taken out of service: 'balancer restart ${workerOf(pool, slot)}' brings it back.`)
}

/** Workers that are missing for no reason that is named elsewhere. */
function addMissing(
  { name, ready, desired, workers, reloading, held = [], broken = [], finished = [], notStarted = [] }: PoolFacts,
  add: Add,
): void {
  const explained = new Set([...held, ...broken, ...finished, ...notStarted.map(({ slot }) => slot)])
  const missing = desired - ready - explained.size
  if (missing <= 0 || reloading === true) return
  const starting = workers.filter(({ state }) => state === 'starting').length
  if (starting < missing) add('failing', name, `has ${ready} of ${desired} workers ready.`)
  else add('watch', name, `has ${ready} of ${desired} workers ready, and ${starting === 1 ? 'one starts' : `${starting} start`}.`)
}

function addDraining(pool: PoolFacts, add: Add): void {
  const { name, workers } = pool
  const draining = workers.filter(({ state }) => state === 'draining')
  const [first] = draining
  if (first === undefined) return
  const left = `for at most ${duration(Math.max(...draining.map(({ drainLeftMs }) => drainLeftMs ?? 0)))} more.`
  if (draining.length === 1) add('watch', workerOf(pool, first.slot), `is draining, ${left}`)
  else add('watch', name, `drains ${draining.length} workers, ${left}`)
}

function addOfWorker(subject: string, worker: WorkerFacts, isLasting: boolean, add: Add): void {
  const { load, state, ejected, retiring, sessions } = worker
  const stuck = stuckMs(worker)
  // A process of a schedule may compute for minutes.
  if (stuck > 0 && isLasting)
    add(
      'failing',
      subject,
      load.busyMs >= NOTABLE_BUSY_MS
        ? `has an event loop that is blocked for ${duration(load.busyMs)}.`
        : `does not answer: its event loop has not turned for ${duration(stuck)}, so its process is stopped or gets no CPU time.`,
    )
  if (ejected === true) add('failing', subject, 'gets no connections for a while, because it does worse than the others.')
  if (sessions?.state === 'down') add('failing', subject, 'does not reach the session store.')
  if (state !== 'draining' && retiring != null) add('watch', subject, `will be replaced: ${retiring}.`)
}

function addRecent({ requests, failed, refused }: Recent, add: Add): void {
  const share = failed / Math.max(1, requests)
  if (refused > 0)
    add('failing', 'the balancer', `refused ${refused} connection${refused === 1 ? '' : 's'} with 503 in the last ${RECENT_S} s.`)
  if (failed >= NOTABLE_FAILURES && share >= NOTABLE_SHARE)
    add('failing', `${Math.round(share * 100)} % of the requests`, `of the last ${RECENT_S} s failed.`)
}
