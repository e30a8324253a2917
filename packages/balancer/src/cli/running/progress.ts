// Reports the progress of an operation to the client that waits for it: events of its workers, or once a second without events what it waits for.
// After a failure it also reports what the new workers printed on stderr.

import type { PoolReport, Progress, WorkerReport } from '../../control/control-protocol.ts'
import type { ProgressWatch } from '../../control/control-server.ts'
import type { Seat } from '../../events.ts'
import type { BalancerStatus } from '../../status.ts'
import { counted, draining } from '../format.ts'
import type { RunningBalancer } from '../io.ts'
import type { eventLines } from './event-lines.ts'
import { followLines } from './log-events.ts'

const REPORTED_EVENTS: readonly (keyof typeof eventLines)[] = [
  'workerReady',
  'workerExited',
  'workerRetiring',
  'workerDraining',
  'workerHung',
  'seatBroken',
  'scaled',
  'operationProgressed',
  'draining',
  'portableChosen',
]
const WAITING_EVERY_MS = 1_000
/** The last output of a process may arrive after its exit. */
const OUTPUT_GRACE_MS = 100
const MAX_OUTPUT_LINES = 20
const MAX_PIDS = 1_000

type OnProgress = (progress: Progress) => void

/** One for each balancer; any number of clients may watch. */
export class ProgressReporter {
  private readonly balancer: Pick<RunningBalancer, 'events' | 'status'>
  private readonly watches = new Set<Watch>()

  constructor(balancer: Pick<RunningBalancer, 'events' | 'status'>) {
    this.balancer = balancer
    const { events } = balancer
    followLines(
      events,
      ({ fields, text }) => {
        const { pool, slot } = fields as Partial<Seat>
        for (const watch of this.watches) watch.onEvent({ kind: 'event', message: text, pool, slot })
      },
      REPORTED_EVENTS,
    )
    events.on('workerStarted', (worker) => {
      for (const watch of this.watches) watch.onStarted(worker)
    })
    events.on('workerOutput', ({ stream, line, ...worker }) => {
      if (stream === 'stderr') for (const watch of this.watches) watch.onStderr(worker, line)
    })
  }

  /** Reports on one pool, or on all, from now on. */
  watch(pool: string | undefined, onProgress: OnProgress): ProgressWatch {
    const watch = new Watch(pool, onProgress, () => this.balancer.status())
    this.watches.add(watch)
    return {
      explain: () => watch.explain(),
      stop: () => {
        this.watches.delete(watch)
        watch.stop()
      },
    }
  }
}

class Watch {
  private readonly pool: string | undefined
  private readonly onProgress: OnProgress
  /** Workers that have started since the operation began. */
  private readonly pids = new Set<number>()
  private readonly output: Progress[] = []
  private readonly timer: NodeJS.Timeout
  private isQuiet = true

  constructor(pool: string | undefined, onProgress: OnProgress, status: () => BalancerStatus) {
    this.pool = pool
    this.onProgress = onProgress
    this.timer = setInterval(() => {
      if (this.isQuiet) onProgress({ kind: 'waiting', message: waitingFor(status(), pool), pool })
      this.isQuiet = true
    }, WAITING_EVERY_MS)
    this.timer.unref()
  }

  onEvent(progress: Progress): void {
    if (!this.concerns(progress.pool)) return
    this.isQuiet = false
    this.onProgress(progress)
  }

  onStarted({ pool, pid }: Seat): void {
    if (this.concerns(pool) && this.pids.size < MAX_PIDS) this.pids.add(pid)
  }

  onStderr({ pool, slot, pid, proxy }: Seat, message: string): void {
    if (!this.pids.has(pid)) return
    this.output.push({ kind: 'output', message, pool, slot, ...(proxy === true && { proxy }) })
    if (this.output.length > MAX_OUTPUT_LINES) this.output.shift()
  }

  async explain(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, OUTPUT_GRACE_MS))
    for (const line of this.output.splice(0)) this.onProgress(line)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private concerns(pool: string | undefined): boolean {
    return this.pool === undefined || pool === undefined || pool === this.pool
  }
}

/** `web: 3 of 4 ready, 1 starting, 1 draining (2 connections, 1 request; at most 20 s more)`, for the pools that are changing, else for all. */
function waitingFor({ pools }: BalancerStatus, pool: string | undefined): string {
  const concerned = pools.filter(({ name }) => pool === undefined || name === pool)
  const changing = concerned.filter(
    ({ job, ready, desired, workers, servers }) =>
      (job === null && ready !== desired) ||
      workers.some(({ state }) => state !== 'ready') ||
      servers?.some(({ state }) => state === 'draining') === true,
  )
  return (changing.length === 0 ? concerned : changing).map(describePool).join('; ')
}

function describePool({ name, ready, desired, workers, servers, held = [], broken = [] }: PoolReport): string {
  const starting = workers.filter(({ state }) => state === 'starting').length
  const drained = workers.filter(({ state }) => state === 'draining')
  const facts = [
    `${ready} of ${desired} ready`,
    // The drain of an upstream server.
    ...(servers ?? []).flatMap(({ slot, state, inFlight }) =>
      state === 'draining' ? [`${name}/${slot} has ${counted(inFlight, 'request')} left`] : [],
    ),
    ...(starting === 0 ? [] : [`${starting} starting`]),
    ...(drained.length === 0 ? [] : [`${drained.length} draining (${describeDrain(drained)})`]),
    ...(held.length === 0 ? [] : [`${held.length} out of service`]),
    ...(broken.length === 0 ? [] : [`${broken.length} broken`]),
  ]
  return `${name}: ${facts.join(', ')}`
}

function describeDrain(workers: readonly WorkerReport[]): string {
  const sum = (read: (worker: WorkerReport) => number): number => workers.reduce((total, worker) => total + read(worker), 0)
  const [connections, inFlight] = [sum(({ load }) => load.connections), sum(({ load }) => load.inFlight)]
  const left = Math.max(...workers.map(({ drainLeftMs }) => drainLeftMs ?? -1))
  return left < 0 ? `${counted(connections, 'connection')}, ${counted(inFlight, 'request')}` : draining(connections, inFlight, left)
}
