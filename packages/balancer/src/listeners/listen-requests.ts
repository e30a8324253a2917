// Answers workers whose app's servers listen or close. Each address becomes one listener of the primary, shared by all workers that ask for it.

import { isIP } from 'node:net'
import { type Acceptor, type BoundAddress, describeListener, errnoOf } from '@switchyard/handoff'
import type { ListenAnswer, ListenPlace, ListenRequest, TlsTicketStart } from '@switchyard/worker-runtime'
import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { Settings } from '../settings.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import { listenError } from '../system/listen-error.ts'
import { AppAddresses, mayListen } from './app-addresses.ts'
import type { FreePorts } from './free-ports.ts'
import { ListenNotices } from './listen-notices.ts'
import { chooseConfigured, isSameAddress, type Role } from './listener-choice.ts'
import { addressText, type Bound, type Listeners } from './listeners.ts'
import { UnservedListeners } from './unserved-listeners.ts'
import { isStopping, type ServerRequest, type WorkerServer, type WorkerServers } from './worker-servers.ts'

const DONE: ListenAnswer = { errno: 0 }
/** A server that closes earlier has only tested whether its port is free. */
const PROBE_MS = 100

export interface ListenRequestsOptions {
  readonly listeners: Listeners
  readonly acceptor: Acceptor
  readonly events: BalancerEmitter
  readonly settings: () => Settings
  readonly freePorts: FreePorts
  readonly servers: WorkerServers
  /** The servers of a worker have changed. `listeners`: numbers of all listeners that the app of its pool has asked for. */
  readonly onChanged: (worker: PoolWorker, listeners: readonly number[]) => void
  /** A server of a worker has closed. Connections offered to the worker may be for that server. */
  readonly onClosed: (worker: PoolWorker) => void
  /** The keys of session tickets for a worker with a TLS server. Left out: its servers have their own. */
  readonly tlsTicketsFor?: ((worker: PoolWorker) => Promise<TlsTicketStart>) | undefined
}

export class ListenRequests {
  private readonly servers: WorkerServers
  private readonly addresses: AppAddresses
  private readonly options: ListenRequestsOptions
  /** Listeners for which a ready worker has had a server. */
  private readonly admitted = new Set<Bound>()
  private readonly notices: ListenNotices
  /** By pool: the error of the last address on which its app could not listen. */
  private readonly errors = new Map<string, BalancerError>()
  private readonly unserved: UnservedListeners
  private last: Promise<unknown> = Promise.resolve()

  constructor(options: ListenRequestsOptions) {
    this.options = options
    this.servers = options.servers
    this.addresses = new AppAddresses(options)
    this.notices = new ListenNotices(options.events)
    this.unserved = new UnservedListeners({
      listeners: () => options.listeners.all,
      graceMs: () => options.settings().limits.listenerGraceMs,
      isUnserved: (bound) => this.servers.isUnserved(bound, (pool) => options.settings().pools.some(({ name }) => name === pool)),
      close: (bound) => this.closeListener(bound),
    })
  }

  /** Answers one request after the other, so that two workers with the same address get the same listener. Never rejects. */
  answer(worker: PoolWorker, request: ListenRequest): Promise<ListenAnswer> {
    const answer = this.last
      .then(() => this.answerNow(worker, request))
      .catch((error: NodeJS.ErrnoException): ListenAnswer => ({ errno: errnoOf(error.code) }))
    this.last = answer
    return answer
  }

  /** A worker is ready: its listeners accept connections. */
  admit(worker: PoolWorker): void {
    for (const { bound } of this.servers.of(worker).values()) this.admitListener(bound)
    this.unserved.check()
  }

  /** A worker has exited. Its listeners stay open for the worker that replaces it. */
  forget(worker: PoolWorker): void {
    this.servers.forgetWorker(worker)
    this.unserved.check()
  }

  /** Why the app of a pool could not listen. */
  errorOf(pool: string): BalancerError | undefined {
    return this.errors.get(pool)
  }

  stop(): void {
    this.unserved.stop()
  }

  private async answerNow(worker: PoolWorker, request: ListenRequest): Promise<ListenAnswer> {
    if (worker.state === 'gone') return DONE
    if (request.ask === 'listen') return this.withTickets(worker, request, await this.listen(worker, request))
    if (request.ask === 'own') this.notices.own(worker, request)
    const server = this.servers.of(worker).get(request.id)
    if (server === undefined) return DONE
    if (request.ask === 'chmod') return { errno: this.options.listeners.chmod(server.bound, request.mode) }
    if (request.ask === 'close') this.close(worker, request.id, server)
    return DONE
  }

  private async withTickets(worker: PoolWorker, request: ServerRequest, answer: ListenAnswer): Promise<ListenAnswer> {
    const endsTls = request.kind === 'tls' || this.options.listeners.configured.some(({ asked }) => asked.tls !== undefined)
    if (!endsTls || !('listener' in answer)) return answer
    return { ...answer, tlsTickets: await this.options.tlsTicketsFor?.(worker) }
  }

  private async listen(worker: PoolWorker, request: ServerRequest): Promise<ListenAnswer> {
    const { listeners, settings } = this.options
    if (!worker.settings.listens) {
      this.notices.ofPool(worker, request)
      return { shared: true }
    }
    if (settings().unbalanced.some((address) => isSameAddress(address, request))) {
      this.notices.unbalanced(worker, request)
      return { shared: true }
    }
    const choice = chooseConfigured(listeners.configured, request, [...this.servers.of(worker).values()])
    if (request.kind === 'tls' && typeof choice === 'object' && choice.bound.asked.tls !== undefined)
      return this.refuseTls(worker, choice.bound)
    if (choice === undefined) return this.listenElsewhere(worker, request)
    if (choice === 'in-use') return { errno: errnoOf('EADDRINUSE'), host: request.host }
    const place = this.attach(worker, request, choice.bound, choice.role)
    if (choice.role !== 'asked') return place
    return { ...place, moved: await this.moveStandIn(worker) }
  }

  /** TLS would begin twice on each connection. */
  private refuseTls(worker: PoolWorker, bound: Bound): ListenAnswer {
    const message = `the app's server speaks TLS itself, and 'listen' has 'tls' for ${addressText(bound)}: create the server with http.createServer, or remove 'tls' there`
    this.errors.set(worker.pool, new BalancerError('ERR_LISTEN', message, { source: 'app' }))
    this.notices.twiceTls(worker, message)
    return { errno: errnoOf('EINVAL') }
  }

  /** A server asks for the address of the config: the one that stood in for it gets the address that it asked for itself. */
  private async moveStandIn(worker: PoolWorker): Promise<(ListenPlace & { readonly id: number }) | undefined> {
    const server = [...this.servers.of(worker).values()].find(({ role }) => role === 'stands-in')
    if (server === undefined) return undefined
    const bound = await this.addresses.open(worker, server.request).catch((error: NodeJS.ErrnoException) => error.code ?? error.message)
    if (typeof bound !== 'object') {
      this.notices.unreached(worker, server.request, bound)
      return undefined
    }
    this.servers.move(worker, server, bound)
    this.update(worker)
    if (worker.state === 'ready') this.admitListener(bound)
    return { id: server.request.id, ...this.placeOf(server) }
  }

  /** Opens an address that the config does not name. */
  private async listenElsewhere(worker: PoolWorker, request: ServerRequest): Promise<ListenAnswer> {
    const { host } = request
    if (!mayListen(request, worker.settings)) {
      this.notices.forbidden(worker, request)
      return { errno: errnoOf('EACCES'), host }
    }
    try {
      const bound = await this.addresses.open(worker, request)
      if (bound === undefined) {
        this.notices.tooMany(worker, request)
        return { shared: true }
      }
      const isSecond = this.servers.has(worker, bound)
      if (isSecond && !request.reusePort) return { errno: errnoOf('EADDRINUSE'), host }
      return this.attach(worker, request, bound, isSecond ? 'second' : 'asked')
    } catch (error) {
      const shared = this.addresses.overlapping(worker, request, error as NodeJS.ErrnoException)
      if (shared !== undefined) {
        setTimeout(() => this.servers.of(worker).has(request.id) && this.notices.overlapping(worker, request, shared), PROBE_MS).unref()
        return this.attach(worker, request, shared, 'asked')
      }
      this.errors.set(worker.pool, listenError(request, addressText(request), error))
      const { code } = error as NodeJS.ErrnoException
      // libuv reports a missing folder as EACCES, since Windows has no other error for it.
      return { errno: errnoOf(request.path !== undefined && code === 'ENOENT' ? 'EACCES' : code), host }
    }
  }

  private attach(worker: PoolWorker, request: ServerRequest, bound: Bound, role: Role): ListenPlace {
    const server: WorkerServer = { bound, role, kind: request.kind, request: request }
    this.servers.add(worker, server)
    this.errors.delete(worker.pool)
    worker.hasClosed = false
    this.update(worker)
    if (worker.state === 'ready') this.admitListener(bound)
    return this.placeOf(server)
  }

  private close(worker: PoolWorker, id: number, { bound }: WorkerServer): void {
    // A worker that stops closes the server for itself alone; its listener stays open.
    if (isStopping(worker)) return
    this.servers.remove(worker, id)
    // A worker without a server may listen again soon, or exit.
    const isLast = this.servers.of(worker).size === 0
    worker.hasClosed = isLast
    this.update(worker)
    if (bound.isConfigured || this.servers.isHeld(bound) || (isLast && this.admitted.has(bound))) this.unserved.check()
    else this.closeListener(bound)
    this.options.onClosed(worker)
  }

  private closeListener(bound: Bound): void {
    const { listeners, acceptor, events } = this.options
    this.servers.forgetListener(bound)
    listeners.close(bound, acceptor)
    if (this.admitted.delete(bound)) events.emit('listenerClosed', { address: addressText(bound) })
    for (const worker of this.servers.workers()) this.update(worker)
  }

  private admitListener(bound: Bound): void {
    const { acceptor, events, listeners } = this.options
    if (this.admitted.has(bound)) return
    acceptor.acceptOn(bound.number)
    const admit = () => {
      if (!listeners.all.includes(bound) || this.admitted.has(bound)) return
      this.admitted.add(bound)
      if (!bound.isConfigured) events.emit('listening', { address: addressText(bound) })
    }
    if (acceptor.isAccepting) setTimeout(admit, PROBE_MS).unref()
    else admit()
  }

  /** Recomputes which listeners a worker serves, and which of them are peeked at. */
  private update(worker: PoolWorker): void {
    const { listeners, acceptor, onChanged } = this.options
    const served = listeners.all.filter((bound) => this.servers.serverFor(worker, bound) !== undefined)
    worker.listeners = new Set(served.map(({ number }) => number))
    for (const bound of listeners.all) {
      acceptor.setPeek(bound.number, peeksAt(bound) ?? !this.servers.isForAnyProtocol(bound))
      acceptor.setServed(bound.number, this.servers.isForHttp2Alone(bound) ? 'http2' : undefined)
    }
    onChanged(worker, this.listenersOf(worker.pool))
  }

  /** Numbers of the listeners on which the app of a pool listens. */
  private listenersOf(pool: string): number[] {
    return this.options.listeners.all.filter((bound) => this.servers.ownersOf(bound).has(pool)).map(({ number }) => number)
  }

  private placeOf({ bound, role }: WorkerServer): ListenPlace {
    return {
      listener: bound.number,
      address: this.addressOf(bound),
      isMain: bound.isConfigured && role !== 'second',
      standsIn: role === 'stands-in',
    }
  }

  /** The address as `server.address()` reports it, without host names. */
  private addressOf({ host, port, path, number }: Bound): BoundAddress {
    if (path !== undefined || (host !== undefined && isIP(host) !== 0)) return { host, port, path }
    const fd = this.options.acceptor.listening.find((one) => one.number === number)?.fd
    return { host: (fd === undefined ? undefined : describeListener(fd)?.host) ?? '::', port, path }
  }
}

/** undefined: it depends on the app's server. On a TLS listener the client always sends first. */
function peeksAt({ asked: { peek, tls } }: Bound): boolean | undefined {
  return tls === undefined ? peek : true
}
