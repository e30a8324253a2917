// A real dispatcher with real pools. Sockets, processes and the clock are fakes. The owner of every descriptor is checked.

import { type Acceptor, newOwners, type Owners } from '@switchyard/handoff'
import { bindPolicy, leastInFlight, type Policy, type PolicyFunction, type Route, RouteTable, TicketSeal } from '@switchyard/routing'
import { RouteChoices } from '../../src/decisions/choice-counts.ts'
import type { ActiveRoutes, Destination } from '../../src/dispatch/bound-routes.ts'
import { ClaimPoller } from '../../src/dispatch/claim-poller.ts'
import { Dispatcher } from '../../src/dispatch/dispatcher.ts'
import { PathRecords } from '../../src/dispatch/path-records.ts'
import { Pool } from '../../src/dispatch/pool.ts'
import { PoolChanges } from '../../src/dispatch/pool-changes.ts'
import type { Queued } from '../../src/dispatch/queue.ts'
import { QueueRunner } from '../../src/dispatch/queue-runner.ts'
import { Recall } from '../../src/dispatch/recall.ts'
import type { PoolSettings } from '../../src/settings.ts'
import { PoolWorker, type WorkerState } from '../../src/supervisor/pool-worker.ts'
import { fakeAcceptor } from '../support/fake-acceptor.ts'
import { type FakeChannel, fakeTransport } from '../support/fake-link.ts'
import { FakeTimers } from '../support/fake-timers.ts'
import { plainPool } from '../support/plain-pool.ts'

/** After this time a hand-off counts as unclaimed for long. */
const LATER_MS = 10

/** A path, the pool that it leads to, and the policy. */
export type PlainRoute = readonly [path: string, pool: string, policy?: Policy | PolicyFunction]

export interface WorldOptions {
  readonly window?: number
  /** The last one is the fallback. */
  readonly routes?: readonly PlainRoute[]
  readonly pools?: Readonly<Record<string, Partial<PoolSettings>>>
}

export class DispatchWorld {
  readonly owners = checkedOwners()
  readonly pools = new Map<string, Pool>()
  readonly acceptor = fakeAcceptor(this.owners, () => this.dispatcher)
  readonly dispatcher: Dispatcher
  readonly changes: PoolChanges
  private readonly claims: ClaimPoller
  private readonly queues: QueueRunner
  /** Connections that workers gave back. */
  givenBack = 0
  private readonly timers = new FakeTimers()
  private readonly window: number
  private table: RouteTable<Destination>

  constructor({ window = 2, routes = [['/*', 'web']], pools = { web: {} } }: WorldOptions = {}) {
    this.window = window
    for (const [name, settings] of Object.entries(pools))
      this.pools.set(name, new Pool(plainPool({ queueLimit: 1000, queueTimeoutMs: 1_000_000, ...settings, name }), { owners: this.owners }))
    this.table = this.tableOf(routes)
    const poolOf = (worker: PoolWorker) => this.pool(worker.pool)
    const activeRoutes: ActiveRoutes = {
      refuses: ({ head }) => this.table.refuses(head),
      destination: ({ head }) => this.table.find(head).policy,
      poolOf,
    }
    this.claims = new ClaimPoller(poolOf)
    this.queues = new QueueRunner(this.pools, this.claims)
    const path = { routes: activeRoutes, claims: this.claims, queues: this.queues, recall: new Recall() }
    this.dispatcher = new Dispatcher({
      ...path,
      acceptor: this.acceptor as Partial<Acceptor> as Acceptor,
      records: new PathRecords({ decisions: false, ticketKeys: [] }),
    })
    this.claims.start(this.dispatcher)
    this.queues.start(this.dispatcher)
    this.changes = new PoolChanges({ ...path, dispatcher: this.dispatcher, pools: this.pools })
  }

  pool(name = 'web'): Pool {
    return this.pools.get(name) as Pool
  }

  /** The waiting descriptors, in the order in which they would be served if nothing else arrived. */
  queued(name = 'web'): number[] {
    const { queue } = this.pool(name)
    const taken: Queued[] = []
    for (let next = queue.removeForLoop(); next !== undefined; next = queue.removeForLoop()) taken.push(next)
    queue.putBack(taken)
    return taken.map(({ arrival }) => arrival.fd)
  }

  /** Adds a worker in this state. */
  add(state: WorkerState = 'ready', name = 'web', slot = this.pool(name).workers.size): PoolWorker {
    const pool = this.pool(name)
    const returns = {
      onGivenBack: (_worker: PoolWorker, connection: { fd: number; tag: number; carried: Buffer | undefined }) => {
        this.givenBack++
        this.dispatcher.onGivenBack(connection)
      },
      onAsked: () => {},
      onTurned: (worker: PoolWorker) => this.dispatcher.onTurned(worker),
      onBatchEnd: () => this.claims.flush(),
    }
    const worker = new PoolWorker(fakeTransport(this.window, this.owners), name, slot, 0, 0, returns, pool.settings)
    worker.state = state
    pool.add(worker)
    if (state === 'ready') this.changes.workerReady(worker)
    else pool.refresh()
    return worker
  }

  /** The worker's process exits. */
  lose(worker: PoolWorker): void {
    worker.state = 'gone'
    this.pool(worker.pool).remove(worker)
    this.changes.workerGone(worker)
  }

  /** A reload brings other routes. */
  reroute(routes: readonly PlainRoute[]): void {
    this.table = this.tableOf(routes)
    this.changes.placeAll()
  }

  /** Time passes: the dispatcher polls workers and queues. */
  look(): void {
    for (const { workers } of this.pools.values()) for (const worker of workers) channelOf(worker).grow(LATER_MS)
    this.timers.run()
  }

  get isQuiet(): boolean {
    return this.timers.count === 0
  }

  end(): void {
    this.claims.stop()
    for (const { arrival } of this.queues.stop()) this.acceptor.drop(arrival.fd)
    this.timers.end()
  }

  private tableOf(routes: readonly PlainRoute[]): RouteTable<Destination> {
    const all = routes.map(([path, name, policy = leastInFlight()]): Route<Destination> => {
      const context = { pool: name, seal: new TicketSeal([{ id: 0, secret: 'test' }]), now: () => 0 }
      return {
        match: { path },
        pool: name,
        name: path,
        policy: { route: path, choices: new RouteChoices(), pool: this.pool(name), policy: bindPolicy(policy, context) },
      }
    })
    return new RouteTable(all, all.at(-1) as Route<Destination>)
  }
}

/** Owners that throw, also when the tests are not run by `npm test`. */
function checkedOwners(): Owners {
  process.env.SWITCHYARD_CHECKS = '1'
  return newOwners() as Owners
}

/** The fake channel of a worker. */
export function channelOf(worker: PoolWorker): FakeChannel {
  return worker.channel as FakeChannel
}

/** Runs the body of a test in a world of its own. */
export function inWorld(options: WorldOptions, body: (world: DispatchWorld) => void): () => void {
  return () => {
    const world = new DispatchWorld(options)
    try {
      body(world)
    } finally {
      world.end()
    }
  }
}
