// Builds the status of this moment from the parts that own its values.

import { type Acceptor, type ChannelKind, readClock } from '@switchyard/handoff'
import type { Counts } from './counts/counts.ts'
import type { ActiveConfig } from './dispatch/active-config.ts'
import type { PathRecords } from './dispatch/path-records.ts'
import type { Pool } from './dispatch/pool.ts'
import type { Jobs } from './jobs/jobs.ts'
import type {
  BalancerStatus,
  LogStatuses,
  LoopReading,
  PoolStatus,
  RouteStatus,
  SessionTableStatus,
  VisitorStatus,
  WorkerStatus,
} from './status.ts'
import type { PoolWorker } from './supervisor/pool-worker.ts'
import type { Supervisor } from './supervisor/supervisor.ts'
import type { Upstreams } from './upstreams/upstreams.ts'

export interface ReadStatusOptions {
  readonly channel: ChannelKind
  readonly acceptor: Acceptor
  readonly records: Pick<PathRecords, 'moves' | 'choices'>
  readonly config: Pick<ActiveConfig, 'pools' | 'pastPools' | 'current'>
  readonly counts: Counts
  readonly addresses: string[]
  readonly tlsAddresses: readonly string[]
  readonly visitors: VisitorStatus
  readonly sessions: SessionTableStatus | null
  readonly supervisor: Supervisor
  readonly jobs: Jobs
  readonly upstreams: Pick<Upstreams, 'statusOf'>
  /** Connections passed to another primary in an upgrade. */
  readonly passed: number
  readonly logs: LogStatuses
}

export function readStatus(options: ReadStatusOptions): BalancerStatus {
  const { channel, acceptor, records, config, addresses, tlsAddresses, supervisor, visitors, sessions, passed, logs } = options
  const { moves, choices } = records
  readClock()
  const pools = [...config.pools.values()]
  const pasts = [config.pastPools, ...pools.map(({ past }) => past)]
  const workers = pools.flatMap((pool) => [...pool.workers])
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
  const { accepted, givenBack, refused, answered, closed, waiting } = acceptor.counts
  return {
    addresses,
    tlsAddresses,
    channel,
    accepting: acceptor.isAccepting,
    live: !pools.some(({ settings: { name, onOutage } }) => onOutage === 'not-live' && supervisor.desired.get(name)?.isInOutage === true),
    connections: {
      accepted,
      givenBack,
      handedOff: sum(pasts.map(({ claimed }) => claimed)) + sum(workers.map(({ channel }) => channel.claimed)) + passed,
      refused: { ...refused },
      answered,
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
    routes: routeStatuses(options.counts, config, workers),
    exits: options.counts.exits.list,
    handshakes: options.counts.handshakes.list,
    operations: options.counts.operations.list,
    choices: choices.choices,
    sticky: choices.sticky,
    visitors,
    sessions,
    ...logs,
    pools: pools.map((pool) => poolStatus(pool, options)),
  }
}

/** The event loop of every worker that runs. It costs much less than a status. */
export function readLoops(pools: Iterable<Pool>, supervisor: Pick<Supervisor, 'watch'>): LoopReading[] {
  readClock()
  return [...pools].flatMap(({ settings: { name }, workers }) =>
    [...workers].map((worker) => {
      const { slot, process, state, load } = worker
      return { pool: name, slot, pid: process?.pid ?? 0, state, silentMs: supervisor.watch.stillMs(worker), load }
    }),
  )
}

/** The last route in force is that of requests that match no other. */
function routeStatuses(counts: Counts, { current }: Pick<ActiveConfig, 'current'>, workers: readonly PoolWorker[]): RouteStatus[] {
  const pools = new Map(current.shared.routes.map(({ name, pool }) => [name, pool]))
  return counts.routes.status([...pools.keys()], workers).map((status) => ({ ...status, pool: pools.get(status.route) ?? null }))
}

function poolStatus(pool: Pool, { supervisor, jobs, upstreams }: Pick<ReadStatusOptions, 'supervisor' | 'jobs' | 'upstreams'>): PoolStatus {
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
    notStarted: supervisor.history
      .notStartedIn(name)
      .filter(({ slot }) => slot < (wanted?.workers ?? 0))
      .map(({ slot, message, times, nextStartMs }) => ({ slot, message, times, retryInMs: retryInMs(nextStartMs) })),
    boardFaults,
    queue: { length: pool.queue.length, waits: pool.queueWaits.read() },
    servers: upstreams.statusOf(name),
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
    restarts: supervisor.history.restarts({ pool: worker.pool, slot }),
    first: worker.isFirst,
    retiring: retiring ?? null,
    ejected: pool.isEjected(worker),
    inStateMs,
    drainLeftMs: state === 'draining' ? Math.max(0, supervisor.limits.drainTimeoutMs - inStateMs) : null,
    silentMs: Math.round(supervisor.watch.stillMs(worker)),
    load: { inFlight, connections, isFree, busyMs, turnWaitMs, turnMs, loopLagMs, utilisation, latencyMs, memoryBytes },
    handOffs: load.handedOff,
    begun: load.begun,
    failed: load.failed,
    details: load.details ?? null,
    sessions: worker.sessions ?? null,
    observed: worker.observed ?? null,
  }
}
