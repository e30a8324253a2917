// Decides in a worker whether a request stays. If not, its connection is given back to the primary; if the connection can't move, this one
// request is forwarded. A request that the primary routed itself is never questioned, so no request goes round in circles.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import {
  canonicalHead,
  carriedBy,
  carrierOf,
  type ForwardReason,
  forwardReasons,
  type GiveBackReason,
  giveBackReasons,
  isHeadComplete,
  listenerOf,
  type Outbox,
  tagOf,
  tagUnderTls,
} from '@switchyard/handoff'
import { type Candidate, helloText, idleLoad, type Policy, RequestHead } from '@switchyard/routing'
import type { Forwarder } from '../forward/forwarder.ts'
import { recordForwarded, serveInOrder, upgradeInOrder } from '../forward/request-order.ts'
import type { Runtime } from '../runtime.ts'
import { listenerOn } from '../server/listener-addresses.ts'
import type { BoundConnections } from './bound-connections.ts'
import { helloOn } from './inner-hello.ts'
import type { PlacementClient } from './placement-client.ts'
import { type ProxyObserver, ProxyWatch } from './proxy-watch.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

const NOTHING = Buffer.alloc(0)

const lastRequest = Symbol('switchyard.lastRequest')
const givenBack = Symbol('switchyard.givenBack')

interface SteeredSocket extends Socket {
  [lastRequest]?: IncomingMessage
  /** The connection has gone back to the primary. */
  [givenBack]?: true
}

/** Why and how a request moves to another worker. */
export interface Move {
  readonly reason: GiveBackReason
  /** The number of the request's route. */
  readonly route: number
  /** The tag of the connection's hand-off; undefined over TLS and HTTP/2. */
  readonly tag: number | undefined
  /** The request before it on the same connection. */
  readonly previous: IncomingMessage | undefined
}

export interface SteeringOptions {
  readonly runtime: Runtime
  readonly table: WorkerRouteTable
  readonly placement: PlacementClient
  readonly forwarder: Forwarder
  readonly outbox: Outbox
  readonly bound: BoundConnections
  /** The listener of a connection without a tag. */
  readonly listenerOf: (server: Server | undefined) => number | undefined
  /** Left out: nothing is collected for advice. */
  readonly observer?: SteeringObserver | undefined
  readonly tlsHomes: TlsHomes
}

/** A stream of HTTP/2 before the app has it. */
export interface SteeredStream {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The connection of its client. */
  readonly socket: Socket
}

/** Where a stream belongs, and the number of its route. `any`: it may be served by every worker of this pool. */
export interface StreamPlace {
  readonly place: 'here' | 'any' | 'elsewhere' | 'refuse'
  readonly route: number
  /** What the route says of spreading, unless it is sticky; undefined: as the listener does. */
  readonly spread: boolean | undefined
}

/** Learns where the clients of TLS connections belong. */
export interface TlsHomes {
  /** Must `onHome` be called for requests on this connection? */
  wantsHome(socket: Socket): boolean
  /** A request on the connection is sticky by ticket and belongs to this slot. `firm`: its client has a session there. */
  onHome(socket: Socket, slot: number, firm: boolean): void
}

/** Told of what a user could do better. */
export interface SteeringObserver extends ProxyObserver {
  readonly changingKeys: {
    record(route: string, request: IncomingMessage, previous: IncomingMessage | undefined, keyOf: KeyOf): void
  }
}

/** The key by which a policy chooses for a request. */
export type KeyOf = (request: IncomingMessage) => string | undefined

/** Steers the requests of one worker. */
export class Steering {
  private readonly options: SteeringOptions
  private readonly pool: string
  private readonly self: Candidate
  private readonly proxyWatch: ProxyWatch

  constructor(options: SteeringOptions) {
    this.options = options
    const { pool, slot, generation, weights } = options.runtime.start
    this.pool = pool
    this.proxyWatch = new ProxyWatch(options.runtime, options.observer)
    this.self = { slot, generation, weight: weights[slot] ?? 1, load: idleLoad }
  }

  /** Can any request belong to another worker at all? */
  static isNeeded({ routes, fallback }: WorkerRouteTable, pool: string): boolean {
    return [...routes, fallback].some((route) => route.pool !== pool || route.policy.policy?.stays !== undefined)
  }

  /** Does a route ask for the ClientHello? */
  get usesHellos(): boolean {
    return this.options.table.usesHellos
  }

  /** Is this connection given back? Then further events of its parser are ignored. */
  isGivenBack(socket: Socket): boolean {
    return (socket as SteeredSocket)[givenBack] === true
  }

  /** Undefined: the request stays with this worker. `refuse`: an app can read it as a request of another pool. */
  decide(request: IncomingMessage, isDraining: boolean): Move | 'refuse' | undefined {
    const socket = request.socket as SteeredSocket
    const previous = socket[lastRequest]
    if (previous === request) return undefined
    socket[lastRequest] = request
    const tag = tagOf(socket)
    // Streams of HTTP/2 are steered before they become requests.
    if (tag === undefined ? !(socket instanceof TLSSocket) : previous === undefined && isHeadComplete(tag)) return undefined
    const head = headOf(request)
    this.proxyWatch.sample(head)
    const { table, bound } = this.options
    if (table.refuses(head)) return 'refuse'
    const { name, pool, policy } = table.find(head)
    // This holds even for a client that has logged in on its connection: it can log in again in the other pool.
    if (pool !== this.pool) return { reason: 'pool', route: policy.index, tag, previous }
    const isHere = policy.policy === undefined || stays(policy.policy, this.self, head, isDraining || bound.isLoggedIn(socket))
    if (tag === undefined && policy.ticket !== undefined) this.recordHome(socket, head, policy.policy, isHere)
    if (isHere) return undefined
    const { policy: sticky } = policy
    this.options.observer?.changingKeys.record(name, request, previous, (one) => sticky?.key?.(headOf(one))?.value)
    return { reason: 'sticky', route: policy.index, tag, previous }
  }

  /** Decides on a stream of a client whose connection stays here. */
  place(stream: SteeredStream, isDraining: boolean): StreamPlace {
    const { socket } = stream
    const head = RequestHead.of(stream)
    head.setAddressSource(socket)
    head.setListenerSource(socket, listenerOn)
    head.setHelloSource(socket, helloOn)
    this.proxyWatch.sample(head)
    const { table } = this.options
    if (table.refuses(head)) return { place: 'refuse', route: 0, spread: false }
    const { pool, policy } = table.find(head)
    const route = policy.index
    const spread = policy.policy === undefined ? policy.spread : false
    if (pool !== this.pool) return { place: 'elsewhere', route, spread }
    if (policy.policy === undefined) return { place: 'any', route, spread }
    const isHere = stays(policy.policy, this.self, head, isDraining)
    if (policy.ticket !== undefined) this.recordHome(socket, head, policy.policy, isHere)
    return { place: isHere ? 'here' : 'elsewhere', route, spread }
  }

  /** Over TLS the primary can't read requests. It learns here where the next connection of this client belongs. */
  private recordHome(socket: Socket, head: RequestHead, policy: Policy | undefined, isHere: boolean): void {
    const { tlsHomes } = this.options
    const secure = carrierOf(socket) ?? socket
    if (!(secure instanceof TLSSocket) || !tlsHomes.wantsHome(secure)) return
    const home = policy?.home?.(head)
    const slot = isHere ? this.self.slot : home?.slot
    const firm = home?.firm === true || (isHere && head.queryParameter('EIO') !== undefined)
    if (slot !== undefined) tlsHomes.onHome(secure, slot, firm)
  }

  /** Gives the connection back, or forwards the request. `upgradeHead`: bytes behind the head of an upgrade. `serve`: gives the request to the app after all. */
  move(
    { reason, route, tag, previous }: Move,
    request: IncomingMessage,
    response: ServerResponse | undefined,
    upgradeHead: Buffer | undefined,
    serve: () => void,
  ): void {
    const socket = request.socket as SteeredSocket
    const { outbox } = this.options
    const found = carriedBy({ request, response, upgradeHead, previous })
    const carried = outbox.movesConnections || typeof found === 'string' ? found : 'channel'
    if (typeof carried === 'string' || tag === undefined)
      return this.forward(carried as ForwardReason, route, request, response, upgradeHead, serve)
    const packed = packReason(route, giveBackReasons.indexOf(reason))
    if (outbox.giveBack(socket, tag, packed, carried, response)) socket[givenBack] = true
    else this.forward('descriptors', route, request, response, upgradeHead, serve)
  }

  private listenerOf(socket: Socket & { readonly server?: Server }): number {
    const tag = tagOf(socket) ?? tagUnderTls(socket)
    return tag === undefined ? (this.options.listenerOf(socket.server) ?? 0) : listenerOf(tag)
  }

  private forward(
    reason: ForwardReason,
    route: number,
    request: IncomingMessage,
    response: ServerResponse | undefined,
    upgradeHead: Buffer | undefined,
    serve: () => void,
  ): void {
    const { placement, forwarder, table } = this.options
    const hello = table.usesHellos ? helloOn(request.socket) : undefined
    const question = {
      reason: packReason(route, forwardReasons.indexOf(reason)),
      listener: this.listenerOf(request.socket),
      address: request.socket.remoteAddress ?? '',
      hello: hello && helloText(hello),
      head: canonicalHead(request),
    }
    const choose = (failed: readonly string[]) => placement.target(question, failed)
    const { socket } = request
    if (response === undefined)
      return upgradeInOrder(socket, () => forwarder.upgrade(request, socket as Duplex, upgradeHead ?? NOTHING, choose, serve))
    recordForwarded(socket, response)
    serveInOrder(socket, response, () => forwarder.request(request, response, choose, serve))
  }
}

/** Records a request that is not steered as its connection's last. */
export function recordRequest(request: IncomingMessage): void {
  ;(request.socket as SteeredSocket)[lastRequest] = request
}

/** The last request on a connection. */
export function lastRequestOn(socket: Socket): IncomingMessage | undefined {
  return (socket as SteeredSocket)[lastRequest]
}

/** Packs the route's number and the reason into one number, so that the primary can count by both. */
export function packReason(route: number, reason: number): number {
  return (route << 8) | reason
}

/** `prefersToStay`: the worker drains, or the client has logged in on its connection. */
function stays(policy: Policy, self: Candidate, head: RequestHead, prefersToStay: boolean): boolean {
  try {
    // A draining worker keeps serving the visitors that only it knows, but it can't serve a session that lives in another worker only.
    if (prefersToStay && policy.home?.(head)?.firm !== true) return true
    return policy.stays?.(self, head) ?? true
  } catch {
    // The user's own code failed: the request stays.
    return true
  }
}

/** The head of a request that Node has parsed, for routing. `target`: as the client sent it, if the app may have changed the request's own. */
export function headOf(request: IncomingMessage, target = request.url as string): RequestHead {
  const head = RequestHead.of({ method: request.method as string, target, headers: request.headers })
  head.setAddressSource(request.socket)
  head.setListenerSource(request.socket, listenerOn)
  head.setHelloSource(request.socket, helloOn)
  return head
}
