// Builds the status of this moment from the parts that own its values.

import { type Acceptor, type ChannelKind, readClock } from '@switchyard/handoff'
import type { RouteTable } from '@switchyard/routing'
import type { MoveCounts } from './dispatch/move-counts.ts'
import type { Pool } from './dispatch/pool.ts'
import type { Jobs } from './jobs/jobs.ts'
import type {
  BalancerStatus,
  LogStatus,
  LoopReading,
  PoolStatus,
  RouteTarget,
  SessionTableStatus,
  VisitorStatus,
  WorkerStatus,
} from './status.ts'
import type { PoolWorker } from './supervisor/pool-worker.ts'
import type { Supervisor } from './supervisor/supervisor.ts'

export interface ReadStatusOptions {
  readonly channel: ChannelKind
  readonly acceptor: Acceptor
  readonly moves: MoveCounts
  readonly pools: Iterable<Pool>
  /** Totals of pools that were removed by a reload. */
  readonly pastPools: { readonly claimed: number; readonly takenBack: number }
  readonly addresses: string[]
  readonly visitors: VisitorStatus
  readonly sessions: SessionTableStatus | null
  readonly supervisor: Supervisor
  readonly jobs: Jobs
  /** Connections passed to another primary in an upgrade. */
  readonly passed: number
  readonly log: LogStatus | null
}

export function readStatus(options: ReadStatusOptions): BalancerStatus {
  const { channel, acceptor, moves, pools: all, pastPools, addresses, supervisor, visitors, sessions, passed, log, jobs } = options
  readClock()
  const pools = [...all]
  const pasts = [pastPools, ...pools.map(({ past }) => past)]
  const workers = pools.flatMap((pool) => [...pool.workers])
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
  const { accepted, givenBack, refused, closed, waiting } = acceptor.counts
  return {
    addresses,
    channel,
    accepting: acceptor.isAccepting,
    live: !pools.some(({ settings: { name, onOutage } }) => onOutage === 'not-live' && supervisor.desired.get(name)?.isInOutage === true),
    connections: {
      accepted,
      givenBack,
      handedOff: sum(pasts.map(({ claimed }) => claimed)) + sum(workers.map(({ channel }) => channel.claimed)) + passed,
      refused: { ...refused },
      closed,
      waiting: {
        head: waiting,
        resting: acceptor.restingCount,
        queue: sum(pools.map(({ queue }) => queue.length)),
        offered: sum(workers.map(({ channel }) => channel.outstanding)),
      },
    },
    handOffs: { takenBack: sum(pasts.map(({ takenBack }) => takenBack)) + sum(workers.map(({ recalled }) => recalled)) },
    moves: { givenBack: moves.givenBack, forwarded: moves.forwarded },
    visitors,
    sessions,
    log,
    pools: pools.map((pool) => poolStatus(pool, supervisor, jobs)),
  }
}

/** The event loop of every worker that runs. It costs much less than a status. */
export function readLoops(pools: Iterable<Pool>): LoopReading[] {
  readClock()
  return [...pools].flatMap(({ settings: { name }, workers }) =>
    [...workers].map(({ slot, process, load }) => ({ pool: name, slot, pid: process?.pid ?? 0, load })),
  )
}

/** Where each route leads; the last is that of requests that match no other. */
export function targetsOf({ routes, fallback }: Pick<RouteTable<unknown>, 'routes' | 'fallback'>): RouteTarget[] {
  return [...routes, fallback].map(({ name, pool }) => ({ name, pool }))
}

function poolStatus(pool: Pool, supervisor: Supervisor, jobs: Jobs): PoolStatus {
  const { name } = pool.settings
  const wanted = supervisor.desired.get(name)
  const boardFaults = [...pool.workers].reduce((total, { load }) => total + load.faults, pool.past.boardFaults)
  return {
    name,
    listens: pool.settings.listens,
    job: jobs.statusOf(pool.settings),
    restartsAtMs: jobs.restartsAtMs(name),
    finished: [...(wanted?.finished ?? [])],
    ready: pool.readyCount,
    desired: wanted?.workers ?? 0,
    generation: wanted?.generation ?? 0,
    reloading: wanted?.previous !== undefined,
    held: [...(wanted?.held ?? [])],
    broken: [...(wanted?.broken ?? [])],
    outageMs: wanted?.outageSinceMs === undefined ? null : Math.max(0, Date.now() - wanted.outageSinceMs),
    notStarted: supervisor
      .notStartedIn(name)
      .filter(({ slot }) => slot < (wanted?.workers ?? 0))
      .map(({ slot, message, times, nextStartMs }) => ({ slot, message, times, retryInMs: retryInMs(nextStartMs) })),
    boardFaults,
    workers: [...pool.workers].map((worker) => workerStatus(worker, pool, supervisor)),
  }
}

function retryInMs(nextStartMs: number | undefined): number | null {
  return nextStartMs === undefined ? null : Math.max(0, nextStartMs - Date.now())
}

function workerStatus(worker: PoolWorker, pool: Pool, supervisor: Supervisor): WorkerStatus {
  const { slot, generation, state, retiring, load, process, sinceMs } = worker
  const { inFlight, connections, isFree, busyMs, turnWaitMs, turnMs, loopLagMs, utilisation, latencyMs, memoryBytes } = load
  const inStateMs = Math.max(0, Date.now() - sinceMs)
  return {
    slot,
    generation,
    state,
    pid: process?.pid ?? 0,
    restarts: supervisor.restarts(worker.pool, slot),
    first: worker.isFirst,
    retiring: retiring ?? null,
    ejected: pool.isEjected(worker),
    inStateMs,
    drainLeftMs: state === 'draining' ? Math.max(0, supervisor.limits.drainTimeoutMs - inStateMs) : null,
    load: { inFlight, connections, isFree, busyMs, turnWaitMs, turnMs, loopLagMs, utilisation, latencyMs, memoryBytes },
    handOffs: load.handedOff,
    begun: load.begun,
    failed: load.failed,
    details: load.details ?? null,
    sessions: worker.sessions ?? null,
  }
}
