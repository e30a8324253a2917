// The servers of each worker, and which of them gets the connections of a listener.

import type { ListenRequest, ServerKind } from '@switchyard/worker-runtime'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { HeldListener, Role } from './listener-choice.ts'
import type { Bound } from './listeners.ts'

/** A server of the app asks for an address. */
export type ServerRequest = Extract<ListenRequest, { ask: 'listen' }>

export interface WorkerServer extends HeldListener {
  bound: Bound
  role: Role
  readonly kind: ServerKind
  readonly request: ServerRequest
}

export class WorkerServers {
  private readonly servers = new Map<PoolWorker, Map<number, WorkerServer>>()
  /** By listener: the pools whose apps have asked for it, in order. */
  private readonly owners = new Map<Bound, Set<string>>()

  /** By the worker's id of the server. */
  of(worker: PoolWorker): ReadonlyMap<number, WorkerServer> {
    return this.servers.get(worker) ?? NONE
  }

  workers(): Iterable<PoolWorker> {
    return this.servers.keys()
  }

  add(worker: PoolWorker, server: WorkerServer): void {
    const servers = this.servers.get(worker) ?? new Map<number, WorkerServer>()
    this.servers.set(worker, servers.set(server.request.id, server))
    this.own(worker, server.bound)
  }

  /** A server that stood in for the config's address gets its own listener. */
  move(worker: PoolWorker, server: WorkerServer, bound: Bound): void {
    server.bound = bound
    server.role = 'asked'
    this.own(worker, bound)
  }

  remove(worker: PoolWorker, id: number): void {
    this.servers.get(worker)?.delete(id)
  }

  forgetWorker(worker: PoolWorker): void {
    this.servers.delete(worker)
  }

  forgetListener(bound: Bound): void {
    this.owners.delete(bound)
  }

  /** The server of a worker that gets the connections of a listener. */
  serverFor(worker: PoolWorker, bound: Bound): WorkerServer | undefined {
    const servers = [...this.of(worker).values()]
    const recordOwner = servers.find((server) => server.bound === bound && server.role === 'asked')
    if (recordOwner !== undefined || !bound.isConfigured) return recordOwner
    // A server that ends TLS itself can't serve a listener whose TLS is ended in front of it.
    const fits = ({ kind }: WorkerServer) => bound.asked.tls === undefined || kind !== 'tls'
    const main = servers.filter((server) => server.bound.isConfigured && server.role !== 'second' && fits(server))
    return main.find(({ role }) => role === 'asked') ?? main[0]
  }

  /** May clients speak a protocol other than HTTP and TLS? Then the server may send first, so the primary must not wait for a head. */
  isForAnyProtocol(bound: Bound): boolean {
    for (const worker of this.servers.keys()) if (this.serverFor(worker, bound)?.kind === 'net') return true
    return false
  }

  /** Do all servers speak HTTP/2 without TLS, and nothing else? */
  isForHttp2Alone(bound: Bound): boolean {
    const servers = [...this.servers.keys()].map((worker) => this.serverFor(worker, bound)).filter((server) => server !== undefined)
    return bound.asked.tls === undefined && servers.length > 0 && servers.every(({ kind }) => kind === 'http2')
  }

  has(worker: PoolWorker, bound: Bound): boolean {
    return [...this.of(worker).values()].some((server) => server.bound === bound)
  }

  /** Does a worker that does not stop have a server for it? */
  isHeld(bound: Bound): boolean {
    for (const worker of this.servers.keys()) if (!isStopping(worker) && this.has(worker, bound)) return true
    return false
  }

  /**
   * Does no worker have a server for it, although a ready worker of its pools could, or its pools are gone? `hasPool`: does the config have
   * this pool?
   */
  isUnserved(bound: Bound, hasPool: (pool: string) => boolean): boolean {
    if (bound.isConfigured || this.isHeld(bound)) return false
    const owners = [...(this.owners.get(bound) ?? [])].filter(hasPool)
    return owners.length === 0 || [...this.servers.keys()].some(({ state, pool }) => state === 'ready' && owners.includes(pool))
  }

  /** Pools whose workers listen there now; without any, the pools that did before. */
  ownersOf(bound: Bound): ReadonlySet<string> {
    const now = new Set<string>()
    for (const worker of this.servers.keys()) if (this.serverFor(worker, bound) !== undefined) now.add(worker.pool)
    return now.size > 0 ? now : (this.owners.get(bound) ?? now)
  }

  /**
   * The pool for connections of a listener that match no route: `first`, or if its app does not listen there, the first of the pools whose
   * app does. `bound`: undefined, the listener is closed.
   */
  poolFor(bound: Bound | undefined, first: string, pools: readonly { readonly name: string }[]): string {
    if (bound === undefined || bound.isConfigured) return first
    const owners = this.ownersOf(bound)
    if (owners.has(first)) return first
    return pools.find(({ name }) => owners.has(name))?.name ?? first
  }

  private own(worker: PoolWorker, bound: Bound): void {
    this.owners.set(bound, (this.owners.get(bound) ?? new Set()).add(worker.pool))
  }
}

const NONE: ReadonlyMap<number, WorkerServer> = new Map()

/** Does the worker drain or exit? Then it closes its servers for itself only. */
export function isStopping({ state, stoppingMs }: PoolWorker): boolean {
  return state === 'draining' || state === 'gone' || stoppingMs !== undefined
}
