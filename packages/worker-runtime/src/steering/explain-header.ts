// The field `X-Switchyard-Explain` in responses to the client addresses of the config (`explainTo`): which route, policy and worker the request had. It has
// hashes of keys, never a key.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { carrierOf, isHeadComplete, tagOf } from '@switchyard/handoff'
import { clientAddress, KeyHasher, type RequestHead, trustedPeer } from '@switchyard/routing'
import { isBetweenWorkers } from '../forward/forwarded.ts'
import type { WorkerStart } from '../protocol.ts'
import { headOf } from './steering.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

/**
 * How the request came to this worker: the primary read its head and chose the worker; the primary chose by the connection alone; another worker forwarded it; or
 * it is a later request that stayed with the connection.
 */
type Arrival = 'routed' | 'by-address' | 'forwarded' | 'kept'

const FIELD = 'X-Switchyard-Explain'
/** Fields of requests that came through a proxy. */
const PROXY_FIELDS = ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'] as const

export type ExplainStart = Pick<WorkerStart, 'pool' | 'slot' | 'generation' | 'trustedProxies' | 'upstream'>

export class ExplainHeader {
  private readonly start: ExplainStart
  private readonly table: WorkerRouteTable
  private readonly hasher: KeyHasher
  private readonly isListed: (address: string | undefined) => boolean
  private readonly isProxy: (address: string | undefined) => boolean
  private readonly addressOf: (head: RequestHead) => string | undefined
  private readonly known = new WeakSet<Socket>()

  /** `to`: addresses, networks, or `unix` for the clients of unix sockets. */
  constructor({ to, secret }: NonNullable<WorkerStart['explain']>, start: ExplainStart, table: WorkerRouteTable) {
    const { trustedProxies } = start
    this.start = start
    this.table = table
    this.hasher = new KeyHasher(Buffer.from(secret, 'base64'))
    this.isListed = trustedPeer(to)
    this.isProxy = trustedPeer(trustedProxies)
    const client = clientAddress({ trustedProxies })
    this.addressOf = (head) => client.of(head)
  }

  /** Sets the field, unless the client is not listed. */
  prepare(request: IncomingMessage, response: ServerResponse): void {
    const arrival = this.arrivalOf(request.socket)
    const head = headOf(request)
    if (!this.isClientListed(head)) return
    response.setHeader(FIELD, this.textFor(head, arrival))
  }

  /** Behind a proxy that is not trusted, or does not say who its client is, the client is unknown. */
  private isClientListed(head: RequestHead): boolean {
    const isProxied = PROXY_FIELDS.some((name) => head.header(name) !== undefined)
    const isKnown = this.isProxy(head.remoteAddress) ? head.header('x-forwarded-for') !== undefined : !isProxied
    return isKnown && this.isListed(this.addressOf(head))
  }

  private arrivalOf(socket: Socket): Arrival {
    if (isBetweenWorkers(carrierOf(socket) ?? socket)) return 'forwarded'
    if (this.known.has(socket)) return 'kept'
    this.known.add(socket)
    const tag = tagOf(socket)
    return tag !== undefined && isHeadComplete(tag) ? 'routed' : 'by-address'
  }

  private textFor(head: RequestHead, arrival: Arrival): string {
    const { pool, slot, generation, upstream } = this.start
    const { name, policy } = this.table.find(head)
    const key = policy.policy?.key?.(head)
    return [
      `worker=${pool}/${upstream === undefined ? '' : 'proxy/'}${slot}`,
      `generation=${generation}`,
      `route=${quoted(name)}`,
      `policy=${policy.policyName}`,
      `arrival=${arrival}`,
      ...(key === undefined ? [] : [`key=${quoted(key.kind)}`, `hash=${this.hasher.of(key.value)}`]),
    ].join('; ')
  }
}

/** A name as a quoted string of printable ASCII. */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]|["\\]/g, '?')}"`
}
