// Decides on each stream of HTTP/2 before the app has it. HTTP/2 may end in the worker or in a server of the app. A stream that belongs elsewhere, or that is
// spread, is forwarded over HTTP/2.

import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { type ForwardReason, forwardReasons, listenerOf, tagOf, tagUnderTls } from '@switchyard/handoff'
import { helloText } from '@switchyard/routing'
import type { ForwardOptions } from '../forward/attempts.ts'
import { HeldStream } from '../http2/held-stream.ts'
import type { SteerStream, StreamHead } from '../http2/http2-session.ts'
import { readRequestHead } from '../http2/request-head.ts'
import type { Http2ListenerStart } from '../http2-start.ts'
import { helloOn } from '../steering/inner-hello.ts'
import type { PlacementClient } from '../steering/placement-client.ts'
import type { Spread } from '../steering/spread.ts'
import { packReason, type SteeredStream, type Steering } from '../steering/steering.ts'
import { ClientConnection, type KeptCount, type KeptOptions } from './client-connection.ts'
import { LocalQueue } from './local-queue.ts'
import { StreamForward } from './stream-forward.ts'

const { NGHTTP2_FLAG_END_STREAM } = constants
const BAD_REQUEST = 400

/** Kept connections of a worker to others, for all its clients. */
const MAX_CONNECTIONS = 1024
const IDLE_TIMEOUT_MS = 10_000
/** Workers tried for one stream. */
const MAX_TRIES = 3

export interface StreamSteeringOptions {
  readonly listeners: readonly Http2ListenerStart[]
  readonly steering: Steering
  readonly placement: PlacementClient
  /** Undefined: nothing asks for it. */
  readonly spread: Spread | undefined
  /** Proves to other workers that a connection comes from a worker of this balancer. */
  readonly token: string
  readonly isDraining: () => boolean
}

export class StreamSteering {
  private readonly options: StreamSteeringOptions
  /** By number: are streams spread there whose routes say nothing of it? */
  private readonly listeners: ReadonlyMap<number, boolean>
  private readonly clients = new WeakMap<Http2Session, ClientConnection | 'not steered'>()
  private readonly kept: KeptOptions
  private readonly count: KeptCount = { open: 0, connecting: 0 }
  private readonly local = new LocalQueue(this.count)
  private readonly forwarding: Omit<ForwardOptions, 'connections'>

  constructor(options: StreamSteeringOptions) {
    this.options = options
    const { token } = options
    this.listeners = new Map(options.listeners.map(({ listener, spread }) => [listener, spread]))
    this.kept = { token, maxConnections: MAX_CONNECTIONS, idleTimeoutMs: IDLE_TIMEOUT_MS }
    this.forwarding = { token, maxTries: MAX_TRIES }
  }

  /** A stream has begun on a connection. `begin` gives it to the app; it is called now, later, or never. */
  readonly take: SteerStream = (stream, head, begin, socket, onReset) => {
    const { session } = stream
    const client = session === undefined ? 'not steered' : this.clientOf(session, socket)
    const target = head.parsed[':path']
    if (client === 'not steered' || target === undefined) return begin()
    const { steering, spread, isDraining } = this.options
    const { place, route, spread: ofRoute } = steering.place(requestOf(head, target, client.socket), isDraining())
    if (place === 'refuse') return stream.respond({ ':status': BAD_REQUEST }, { endStream: true })
    const isSpread = ofRoute ?? this.listeners.get(client.listener) === true
    const forward = (serve: () => void): void =>
      this.forward({ stream, head, client, reason: isSpread ? 'spread' : 'http2', mayStay: place === 'any', route, begin: serve, onReset })
    if (place === 'elsewhere') return forward(begin)
    if (spread === undefined) return begin()
    // The times of those that stay are part of the turns too.
    const give = (): void => {
      spread.record(target)
      begin()
    }
    if (place === 'any' && isSpread && spread.wants(target)) forward(give)
    else give()
  }

  private clientOf(session: Http2Session, socket: Socket): ClientConnection | 'not steered' {
    const known = this.clients.get(session)
    if (known !== undefined) return known
    const tag = tagOf(socket) ?? tagUnderTls(socket)
    const listener = tag === undefined ? undefined : listenerOf(tag)
    const isSteered = listener !== undefined && this.listeners.has(listener)
    const client = isSteered ? new ClientConnection(session, socket, listener, this.kept, this.count) : 'not steered'
    this.clients.set(session, client)
    return client
  }

  private forward({ stream, head, client, reason, mayStay, route, begin, onReset }: MovedStream): void {
    // The primary reads heads of HTTP/1.1.
    const asHttp1 = readRequestHead(head.raw, (head.flags & NGHTTP2_FLAG_END_STREAM) !== 0)
    // The app's server answers what is malformed.
    if (typeof asHttp1 !== 'object') return begin()
    const { placement, steering } = this.options
    const hello = steering.usesHellos ? helloOn(client.socket) : undefined
    const question = {
      reason: packReason(route, forwardReasons.indexOf(reason)),
      listener: client.listener,
      address: client.remoteAddress ?? '',
      hello: hello && helloText(hello),
      head: asHttp1.text,
    }
    const held = new HeldStream(stream, begin)
    new StreamForward(this.forwarding, {
      ...{ held, head, client, onReset },
      choose: async (failed) => {
        const target = await placement.target(question, failed)
        // A stream that could stay is served here when no other worker is found.
        return target === 'none' && mayStay ? 'here' : target
      },
      serveHere: () => (mayStay ? this.local.add(held) : held.give()),
    }).start()
  }
}

/** A stream that another worker may serve. */
interface MovedStream {
  readonly stream: ServerHttp2Stream
  readonly head: StreamHead
  readonly client: ClientConnection
  readonly reason: ForwardReason
  /** It belongs to this pool. */
  readonly mayStay: boolean
  readonly route: number
  readonly begin: () => void
  readonly onReset: (() => void) | undefined
}

/** As HTTP/1.1 has them. An extended CONNECT is an upgrade there. */
function requestOf({ parsed }: StreamHead, target: string, socket: Socket): SteeredStream {
  const { ':method': method = 'GET', ':authority': authority, ':protocol': protocol, host = authority } = parsed
  if (protocol !== undefined)
    return { method: 'GET', target, headers: { ...parsed, host, connection: 'Upgrade', upgrade: protocol }, socket }
  return { method, target, headers: host === parsed.host ? parsed : { ...parsed, host }, socket }
}
