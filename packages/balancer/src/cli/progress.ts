// Tells those who wait for an operation how it goes: what happens to the workers concerned, what is waited for when nothing happens, and when it fails what the new
// workers said.

import type { Progress } from '../control/control-protocol.ts'
import type { ProgressWatch } from '../control/control-server.ts'
import type { Seat } from '../events.ts'
import type { BalancerStatus } from '../status.ts'
import type { PoolDetails, WorkerDetails } from './commands/worker-details.ts'
import type { RunningBalancer } from './io.ts'
import { counted, draining, type eventLines } from './running/event-lines.ts'
import { followLines } from './running/log-events.ts'

const told: readonly (keyof typeof eventLines)[] = [
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
const waitingEveryMs = 1_000
/** What a process wrote may come a little later than its end. */
const outputGraceMs = 100
const maxOutputLines = 20
const maxPids = 1_000

/** One for each balancer; any number may watch. */
export class ProgressTeller {
  readonly #balancer: Pick<RunningBalancer, 'events' | 'status'>
  readonly #watches = new Set<Watch>()

  constructor(balancer: Pick<RunningBalancer, 'events' | 'status'>) {
    this.#balancer = balancer
    const { events } = balancer
    followLines(
      events,
      ({ fields, text }) => {
        const { pool, slot } = fields as Partial<Seat>
        for (const watch of this.#watches) watch.tell({ kind: 'event', message: text, pool, slot })
      },
      told,
    )
    events.on('workerStarted', (workerSlot) => {
      for (const watch of this.#watches) watch.started(workerSlot)
    })
    events.on('workerOutput', ({ stream, line, ...workerSlot }) => {
      if (stream === 'stderr') for (const watch of this.#watches) watch.printed(workerSlot, line)
    })
  }

  /** Tells from now on of one pool, or of all. */
  watch(pool: string | undefined, say: (progress: Progress) => void): ProgressWatch {
    const watch = new Watch(pool, say, () => this.#balancer.status())
    this.#watches.add(watch)
    return {
      explain: () => watch.explain(),
      stop: () => {
        this.#watches.delete(watch)
        watch.stop()
      },
    }
  }
}

class Watch {
  readonly #pool: string | undefined
  readonly #say: (progress: Progress) => void
  readonly #pids = new Set<number>()
  readonly #output: Progress[] = []
  readonly #timer: NodeJS.Timeout
  #isQuiet = true

  constructor(pool: string | undefined, say: (progress: Progress) => void, status: () => BalancerStatus) {
    this.#pool = pool
    this.#say = say
    this.#timer = setInterval(() => {
      if (this.#isQuiet) say({ kind: 'waiting', message: waitingFor(status(), pool), pool })
      this.#isQuiet = true
    }, waitingEveryMs)
    this.#timer.unref()
  }

  tell(progress: Progress): void {
    if (!this.#concerns(progress.pool)) return
    this.#isQuiet = false
    this.#say(progress)
  }

  started({ pool, pid }: Seat): void {
    if (this.#concerns(pool) && this.#pids.size < maxPids) this.#pids.add(pid)
  }

  printed({ pool, slot, pid }: Seat, message: string): void {
    if (!this.#pids.has(pid)) return
    this.#output.push({ kind: 'output', message, pool, slot })
    if (this.#output.length > maxOutputLines) this.#output.shift()
  }

  async explain(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, outputGraceMs))
    for (const line of this.#output.splice(0)) this.#say(line)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #concerns(pool: string | undefined): boolean {
    return this.#pool === undefined || pool === undefined || pool === this.#pool
  }
}

/** `web: 3 of 4 ready, 1 starting, 1 draining (2 connections, 1 request; at most 20 s more)`: the pools in which something is under way, or all. */
export function waitingFor({ pools }: BalancerStatus, pool: string | undefined): string {
  const concerned = pools.filter(({ name }) => pool === undefined || name === pool)
  const moving = concerned.filter(({ ready, desired, workers }) => ready !== desired || workers.some(({ state }) => state !== 'ready'))
  return (moving.length === 0 ? concerned : moving).map(describePool).join('; ')
}

function describePool({ name, ready, desired, workers, held = [], broken = [] }: PoolDetails): string {
  const starting = workers.filter(({ state }) => state === 'starting').length
  const leaving = workers.filter(({ state }) => state === 'draining')
  const parts = [
    `${ready} of ${desired} ready`,
    ...(starting === 0 ? [] : [`${starting} starting`]),
    ...(leaving.length === 0 ? [] : [`${leaving.length} draining (${drainOf(leaving)})`]),
    ...(held.length === 0 ? [] : [`${held.length} out of service`]),
    ...(broken.length === 0 ? [] : [`${broken.length} broken`]),
  ]
  return `${name}: ${parts.join(', ')}`
}

function drainOf(workers: readonly WorkerDetails[]): string {
  const sum = (read: (worker: WorkerDetails) => number): number => workers.reduce((total, worker) => total + read(worker), 0)
  const [connections, inFlight] = [sum(({ load }) => load.connections), sum(({ load }) => load.inFlight)]
  const left = Math.max(...workers.map(({ drainLeftMs }) => drainLeftMs ?? -1))
  return left < 0 ? `${counted(connections, 'connection')}, ${counted(inFlight, 'request')}` : draining(connections, inFlight, left)
}
