// What the page shows at one moment: the status with rates, in the page's order. Made once a second for all readers together.

import { RecentFailures } from '../recent-failures.ts'
import type { BalancerStatus, PoolStatus, UpstreamServerStatus, WorkerStatus } from '../status.ts'
import { type Health, healthOf, stuckMs } from '../troubles.ts'
import { Counters } from './history.ts'
import { ResponseWindow } from './response-window.ts'
import { type RouteView, RouteViews } from './route-views.ts'

/** One line of a list that other parts of the balancer provide, such as the last decisions. */
export interface ListLine {
  /** In ms since 1970; null: it has no time. */
  readonly time: number | null
  /** Such as `web/0` or a route. */
  readonly subject: string
  readonly text: string
  /** Config to paste. */
  readonly config?: string | undefined
}

/** null: the balancer does not collect it, and the page leaves the section out. */
export interface ViewLists {
  readonly decisions: readonly ListLine[] | null
  readonly badHeads: readonly ListLine[] | null
  readonly advice: readonly ListLine[] | null
}

export interface WorkerView {
  slot: number
  pid: number
  state: WorkerStatus['state']
  generation: number
  inStateMs: number
  perSecond: number
  failedPerSecond: number
  inFlight: number
  connections: number
  utilisation: number
  latencyMs: number
  memoryBytes: number
  restarts: number
  ejected: boolean
  /** For how long its event loop has been stuck; 0: it turns. */
  stuckMs: number
  drainLeftMs: number | null
}

/** An upstream server. */
export interface ServerView {
  slot: number
  generation: number
  /** Its URL, with the address behind it; null: it was removed, and its requests end. */
  name: string | null
  state: UpstreamServerStatus['state']
  perSecond: number
  failedPerSecond: number
  inFlight: number
  connections: number
  latencyMs: number
  lastFailure: string | null
}

export interface PoolView {
  name: string
  listens: boolean
  isScheduled: boolean
  ready: number
  desired: number
  reloading: boolean
  /** Slots without a worker, and why. */
  empty: { slot: number; why: 'held' | 'broken' | 'finished' }[]
  perSecond: number
  failedPerSecond: number
  /** A request that finds the loop busy waits so long, weighted by the requests of each worker. */
  waitMs: number
  /** 99th percentile of the waits in the queue, of connections that left it in the last ten seconds; null: none has waited. */
  queueP99Ms: number | null
  /** Of the responses of the last ten seconds; null: there were none. */
  p50Ms: number | null
  p99Ms: number | null
  workers: WorkerView[]
  /** null: its workers run an app. */
  servers: ServerView[] | null
}

export interface View extends ViewLists {
  time: number
  health: Health
  addresses: string[]
  channel: string
  totals: { perSecond: number; failedPerSecond: number; p50Ms: number | null; p99Ms: number | null; queue: number; connections: number }
  routes: RouteView[]
  /** Counts since the start. */
  counts: {
    accepted: number
    handedOff: number
    takenBack: number
    givenBack: Record<string, number>
    forwarded: Record<string, number>
    refused: Record<string, number>
    waiting: BalancerStatus['connections']['waiting']
  }
  pools: PoolView[]
}

/** Responses are too few in one second for a 99th percentile. */
const WINDOW_SAMPLES = 10

export class Views {
  private readonly recent = new RecentFailures()
  private readonly counters = new Counters()
  private readonly window = new ResponseWindow(WINDOW_SAMPLES)
  private readonly routes = new RouteViews(WINDOW_SAMPLES)
  private readonly windows = new Map<string, { readonly responses: ResponseWindow; readonly waits: ResponseWindow }>()
  private last = new Map<string, { begun: number; failed: number }>()
  private lastMs: number | undefined

  /** `nowMs`: rises from call to call. The first view has rates of 0. */
  make(status: BalancerStatus, lists: ViewLists, nowMs: number): View {
    const seconds = this.lastMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0.001, (nowMs - this.lastMs) / 1000)
    this.lastMs = nowMs
    const { requests, failed } = this.counters.advance(status)
    this.window.add(status)
    const next: typeof this.last = new Map()
    const pools = status.pools.map((pool) => this.pool(pool, seconds, next))
    this.last = next
    for (const name of this.windows.keys()) if (!status.pools.some((pool) => pool.name === name)) this.windows.delete(name)
    const { connections, moves, handOffs, addresses, channel } = status
    return {
      time: nowMs,
      health: healthOf(status, this.recent.advance(status, nowMs)),
      addresses,
      channel,
      totals: {
        perSecond: round(requests / seconds),
        failedPerSecond: round(failed / seconds),
        ...this.window.quantiles(),
        queue: connections.waiting.queue,
        connections: pools.reduce((sum, { workers }) => sum + workers.reduce((all, worker) => all + worker.connections, 0), 0),
      },
      routes: this.routes.make(status, seconds),
      counts: {
        accepted: connections.accepted,
        handedOff: connections.handedOff,
        takenBack: handOffs.takenBack,
        givenBack: byReason(moves.givenBack),
        forwarded: byReason(moves.forwarded),
        refused: nonZero(connections.refused),
        waiting: connections.waiting,
      },
      pools,
      ...lists,
    }
  }

  private pool(pool: PoolStatus, seconds: number, next: typeof this.last): PoolView {
    const { name, listens, job, ready, desired, reloading, held, broken, finished, queue } = pool
    const windows = this.windows.get(name) ?? { responses: new ResponseWindow(WINDOW_SAMPLES), waits: new ResponseWindow(WINDOW_SAMPLES) }
    this.windows.set(name, windows)
    windows.responses.add({ pools: [pool] })
    windows.waits.addCounts([['', queue.waits.counts]])
    const alive = pool.workers.filter(({ state }) => state !== 'gone')
    const workers = alive
      .map((worker) => this.worker(name, worker, seconds, next))
      .sort((one, other) => one.slot - other.slot || one.generation - other.generation)
    const perSecond = workers.reduce((sum, worker) => sum + worker.perSecond, 0)
    const waits = alive.reduce((sum, { load }, index) => sum + load.turnWaitMs * load.utilisation * (workers[index]?.perSecond ?? 0), 0)
    return {
      name,
      listens,
      isScheduled: job !== null,
      ready,
      desired,
      reloading,
      empty: [
        ...held.map((slot) => ({ slot, why: 'held' as const })),
        ...broken.map((slot) => ({ slot, why: 'broken' as const })),
        ...finished.map((slot) => ({ slot, why: 'finished' as const })),
      ].filter(({ slot }) => !workers.some((worker) => worker.slot === slot)),
      perSecond: round(perSecond),
      failedPerSecond: round(workers.reduce((sum, worker) => sum + worker.failedPerSecond, 0)),
      waitMs: perSecond === 0 ? 0 : round(waits / perSecond),
      queueP99Ms: windows.waits.quantiles().p99Ms,
      ...windows.responses.quantiles(),
      workers,
      servers: pool.servers?.map((server) => this.server(name, server, seconds, next)) ?? null,
    }
  }

  private server(pool: string, server: UpstreamServerStatus, seconds: number, next: typeof this.last): ServerView {
    const { slot, generation, name, address, state, requests, failures, inFlight, connections, latencyMs, lastFailure } = server
    const key = `server ${pool} ${slot} ${generation}`
    const before = this.last.get(key) ?? { begun: 0, failed: 0 }
    next.set(key, { begun: requests, failed: failures })
    return {
      ...{ slot, generation, state, inFlight, connections, lastFailure },
      name: name === null || address === null ? name : `${name} (${address})`,
      perSecond: round(Math.max(0, requests - before.begun) / seconds),
      failedPerSecond: round(Math.max(0, failures - before.failed) / seconds),
      latencyMs: round(latencyMs),
    }
  }

  private worker(pool: string, worker: WorkerStatus, seconds: number, next: typeof this.last): WorkerView {
    const { slot, pid, state, generation, inStateMs, load, restarts, ejected, drainLeftMs, begun, failed } = worker
    const key = `${pool} ${slot} ${pid}`
    const before = this.last.get(key) ?? { begun: 0, failed: 0 }
    next.set(key, { begun, failed })
    const { inFlight, connections, utilisation, latencyMs, memoryBytes } = load
    return {
      ...{
        slot,
        pid,
        state,
        generation,
        inStateMs,
        inFlight,
        connections,
        memoryBytes,
        restarts,
        ejected,
        drainLeftMs,
        stuckMs: Math.round(stuckMs(worker)),
      },
      perSecond: round(Math.max(0, begun - before.begun) / seconds),
      failedPerSecond: round(Math.max(0, failed - before.failed) / seconds),
      utilisation: round(utilisation),
      latencyMs: round(latencyMs),
    }
  }
}

function byReason(moves: readonly { reason: string; count: number }[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { reason, count } of moves) counts[reason] = (counts[reason] ?? 0) + count
  return counts
}

function nonZero(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
