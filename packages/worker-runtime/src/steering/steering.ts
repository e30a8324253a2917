// Does a request stay with this worker? If not, its connection goes back to the primary, or, where that can't move, this one request is
// forwarded. The request that the primary itself routed is never questioned, so nothing goes round in circles.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import {
  canonicalHead,
  carriedBy,
  type ForwardReason,
  forwardReasons,
  type GiveBackReason,
  giveBackReasons,
  isHeadComplete,
  listenerOf,
  type Outbox,
  tagOf,
} from '@switchyard/handoff'
import { type Candidate, idleLoad, type Policy, RequestHead } from '@switchyard/routing'
import type { Forwarder } from '../forward/forwarder.ts'
import { ProxyWatch } from '../reports/proxy-watch.ts'
import type { Runtime } from '../runtime.ts'
import type { BoundConnections } from './bound-connections.ts'
import type { PlacementClient } from './placement-client.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

const last = Symbol('switchyard.last')
const left = Symbol('switchyard.left')

interface SteeredSocket extends Socket {
  /** The last request that came on it. */
  [last]?: IncomingMessage
  /** It has gone back to the primary. */
  [left]?: true
}

/** A request that belongs elsewhere, and why. */
export interface Move {
  readonly reason: GiveBackReason
  /** The number of its route. */
  readonly route: number
  /** Of the hand-off with which its connection came; undefined over TLS. */
  readonly tag: number | undefined
  /** The request before it on this connection. */
  readonly previous: IncomingMessage | undefined
}

export interface SteeringParts {
  readonly runtime: Runtime
  readonly table: WorkerRouteTable
  readonly asking: PlacementClient
  readonly forwarder: Forwarder
  readonly outbox: Outbox
  readonly bound: BoundConnections
  /** The listener by which a connection without a tag came. */
  readonly listenerOf: (server: Server | undefined) => number | undefined
}

/** Judges the requests of one worker. */
export class Steering {
  private readonly parts: SteeringParts
  private readonly pool: string
  private readonly me: Candidate
  private readonly watch: ProxyWatch

  constructor(parts: SteeringParts) {
    this.parts = parts
    const { pool, slot, generation, weights } = parts.runtime.start
    this.pool = pool
    this.watch = new ProxyWatch(parts.runtime)
    this.me = { slot, generation, weight: weights[slot] ?? 1, load: idleLoad }
  }

  /** Can any request belong elsewhere at all? */
  static isNeeded({ routes, fallback }: WorkerRouteTable, pool: string): boolean {
    return [...routes, fallback].some((route) => route.pool !== pool || route.policy.policy?.stays !== undefined)
  }

  /** Has this connection gone? Whatever its parser still says of it is for nobody. */
  hasLeft(socket: Socket): boolean {
    return (socket as SteeredSocket)[left] === true
  }

  /** Does a request belong elsewhere? Undefined: it stays, and the app should have it. `refuse`: an app can take it for a request of another pool. */
  judge(request: IncomingMessage, draining: boolean): Move | 'refuse' | undefined {
    const socket = request.socket as SteeredSocket
    const previous = socket[last]
    if (previous === request) return undefined
    socket[last] = request
    const tag = tagOf(socket)
    if (tag === undefined ? !(socket instanceof TLSSocket) : previous === undefined && isHeadComplete(tag)) return undefined
    const head = headOf(request)
    this.watch.look(head)
    const { table, bound } = this.parts
    if (table.refuses(head)) return 'refuse'
    const { pool, policy } = table.find(head)
    // Even one whose client has logged in on it: it can log in again where the request belongs.
    if (pool !== this.pool) return { reason: 'pool', route: policy.index, tag, previous }
    if (policy.policy === undefined || stays(policy.policy, this.me, head, draining || bound.isLoggedIn(socket))) return undefined
    return { reason: 'sticky', route: policy.index, tag, previous }
  }

  /** Sends it where it belongs. `rest`: what came behind the head of an upgrade. `serve`: gives it to the app after all. */
  move(
    { reason, route, tag, previous }: Move,
    request: IncomingMessage,
    response: ServerResponse | undefined,
    rest: Buffer | undefined,
    serve: () => void,
  ): void {
    const socket = request.socket as SteeredSocket
    const { outbox } = this.parts
    const found = carriedBy({ request, response, upgradeHead: rest, previous })
    const carried = outbox.movesConnections || typeof found === 'string' ? found : 'channel'
    if (typeof carried === 'string' || tag === undefined)
      return this.forward(carried as ForwardReason, route, request, response, rest, serve)
    const packed = packReason(route, giveBackReasons.indexOf(reason))
    if (outbox.giveBack(socket, tag, packed, carried, response)) socket[left] = true
    else this.forward('descriptors', route, request, response, rest, serve)
  }

  private listenerOf(socket: Socket & { readonly server?: Server }): number {
    const tag = tagOf(socket)
    return tag === undefined ? (this.parts.listenerOf(socket.server) ?? 0) : listenerOf(tag)
  }

  private forward(
    reason: ForwardReason,
    route: number,
    request: IncomingMessage,
    response: ServerResponse | undefined,
    rest: Buffer | undefined,
    serve: () => void,
  ): void {
    const { asking, forwarder } = this.parts
    const asked = {
      reason: packReason(route, forwardReasons.indexOf(reason)),
      listener: this.listenerOf(request.socket),
      address: request.socket.remoteAddress ?? '',
      head: canonicalHead(request),
    }
    const choose = (failed: readonly string[]) => asking.target(asked, failed)
    if (response !== undefined) forwarder.request(request, response, choose, serve)
    else forwarder.upgrade(request, request.socket as Duplex, rest ?? NOTHING, choose, serve)
  }
}

const NOTHING = Buffer.alloc(0)

/** Notes a request that is nobody's to question. */
export function recordRequest(request: IncomingMessage): void {
  ;(request.socket as SteeredSocket)[last] = request
}

/** The last request that came on a connection. */
export function lastRequestOn(socket: Socket): IncomingMessage | undefined {
  return (socket as SteeredSocket)[last]
}

/** The number of the route goes along with the reason, so that the primary counts by both. */
export function packReason(route: number, reason: number): number {
  return (route << 8) | reason
}

/** `rather`: it should stay if it can, for the worker drains, or the client has logged in on its connection. */
function stays(policy: Policy, me: Candidate, head: RequestHead, rather: boolean): boolean {
  try {
    // Who leaves takes nobody along: a visitor that only this worker knows is served to the end here. But a session may be in another only.
    if (rather && policy.home?.(head)?.firm !== true) return true
    return policy.stays?.(me, head) ?? true
  } catch {
    // The user's own code: a request that can't be judged stays.
    return true
  }
}

/** The head of a request that Node has parsed. */
export function headOf(request: IncomingMessage): RequestHead {
  const head = RequestHead.of({ method: request.method as string, target: request.url as string, headers: request.headers })
  head.setAddressSource(request.socket)
  return head
}
