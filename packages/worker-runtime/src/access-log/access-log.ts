// The access log of a worker: one line for each request that its app gets, written when the request ends. Loaded only when the config asks for it.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { carrierOf, headLengthOf, isMoved, peerAddressOf, sentBytesOf, takeTag, waitOf } from '@switchyard/handoff'
import { clientAddress, type KeySource } from '@switchyard/routing'
import type { AccessLogStart } from '../access-frames.ts'
import { isBetweenWorkers } from '../forward/forwarded.ts'
import type { Runtime } from '../runtime.ts'
import type { LoggedRequest, OpenRequest } from '../server/requests/open-requests.ts'
import type { RequestRoutes } from '../steering/request-routes.ts'
import { headOf } from '../steering/steering.ts'
import { lineFormat } from './access-format.ts'
import { EndedRequest, NO_ANSWER } from './ended-request.ts'
import { LineBatches } from './line-batches.ts'
import { openLineSink } from './line-sinks.ts'
import { Sample } from './sample.ts'

/** The answer to an upgrade, which the app writes to the socket itself. */
const SWITCHING = 101
const UNKNOWN = -1

export interface AccessLogOptions {
  readonly runtime: Runtime
  readonly start: AccessLogStart
  readonly requestRoutes: RequestRoutes
  readonly chance: () => number
}

export class AccessLog {
  private readonly sample: Sample
  private readonly batches: LineBatches
  private readonly format: ReturnType<typeof lineFormat>
  private readonly routeNames: readonly string[]
  private readonly requestRoutes: RequestRoutes
  /** undefined: the client is the peer. */
  private readonly client: KeySource | undefined
  private readonly ended = new EndedRequest()
  private readonly isProxy: boolean

  constructor({ runtime, start, requestRoutes, chance }: AccessLogOptions) {
    const { pool, slot, routes, trustedProxies } = runtime.start
    this.sample = new Sample(start.sample, chance)
    this.batches = new LineBatches(openLineSink(start, (lines) => runtime.send({ switchyard: 'access-lost', lines })))
    this.requestRoutes = requestRoutes
    this.routeNames = routes.map(({ name }) => name)
    this.isProxy = runtime.start.upstream !== undefined
    this.format = lineFormat(start.format, { pool, slot, isProxy: this.isProxy })
    this.client = trustedProxies.length === 0 ? undefined : clientAddress({ trustedProxies })
    process.on('exit', this.batches.flushLast)
  }

  /** The app is about to get the request. `open`: what InFlight remembers of it; undefined: it has had the request before. */
  begin(open: OpenRequest | undefined, request: IncomingMessage, response: ServerResponse): void {
    if (open === undefined) return
    const { socket } = request
    open.isLogged = this.sample.takes()
    // What the tag says concerns the first request alone.
    const tag = open.isFirst ? takeTag(socket) : undefined
    if (!open.isLogged) return
    open.logged ??= newLogged()
    const { logged } = open
    this.fill(logged, request, tag)
    const isCounted = request.httpVersionMajor === 1 && response.socket !== null
    logged.sentBefore = isCounted ? sentBytesOf(socket) : UNKNOWN
  }

  /** The app is about to get the socket of an upgrade or of CONNECT. Its line is written when the connection closes. */
  beginUpgrade(request: IncomingMessage, socket: Socket): void {
    const tag = takeTag(socket)
    if (!this.sample.takes()) return
    const logged = newLogged()
    this.fill(logged, request, tag)
    const route = this.requestRoutes.indexOf(request)
    const beganMs = performance.now()
    const sentBefore = socket.bytesWritten
    socket.once('close', () => {
      const bytes = socket.bytesWritten - sentBefore
      const nowMs = performance.now()
      this.write(request, logged, route, bytes > 0 ? SWITCHING : NO_ANSWER, bytes, false, nowMs - beganMs, nowMs)
    })
  }

  /** The response has ended, or its connection has closed. `ms`: its duration; `nowMs`: on the monotonic clock. */
  end(response: ServerResponse, open: OpenRequest, isFinished: boolean, ms: number, nowMs: number): void {
    const { logged } = open
    if (!open.isLogged || logged === undefined) return
    const { sentBefore } = logged
    const request = response.req
    const bytes = sentBefore === UNKNOWN ? UNKNOWN : Math.max(0, sentBytesOf(request.socket) - sentBefore - headLengthOf(response))
    this.write(request, logged, open.route, response.headersSent ? response.statusCode : NO_ANSWER, bytes, !isFinished, ms, nowMs)
  }

  /** Sends the lines of ended requests now. */
  flush(): void {
    this.batches.flush()
  }

  private fill(logged: LoggedRequest, request: IncomingMessage, tag: number | undefined): void {
    const { socket } = request
    logged.url = request.url ?? ''
    if (this.client !== undefined) logged.address = this.client.of(headOf(request))
    else if (!logged.isPeer) this.findAddress(logged, socket)
    logged.waitMs = tag === undefined ? undefined : waitOf(tag)
    logged.placement = tag !== undefined && isMoved(tag) ? 'moved' : isBetweenWorkers(carrierOf(socket) ?? socket) ? 'forwarded' : undefined
  }

  private findAddress(logged: LoggedRequest, socket: Socket): void {
    // A connection between workers says for each request who its client is.
    logged.isPeer = !Object.hasOwn(socket, 'remoteAddress')
    logged.address = logged.isPeer ? peerAddressOf(socket) : socket.remoteAddress
  }

  private write(
    request: IncomingMessage,
    logged: LoggedRequest,
    route: number,
    status: number,
    bytes: number,
    isAborted: boolean,
    serviceMs: number,
    nowMs: number,
  ): void {
    const { ended, batches } = this
    const lines = batches.open()
    ended.fill(request, logged, this.routeNames[route] ?? '')
    if (this.isProxy) ended.fillUpstream(request)
    ended.end(Math.floor(batches.sinceEpochMs + nowMs), serviceMs, status, bytes, isAborted)
    this.format(ended, lines)
    batches.close()
  }
}

function newLogged(): LoggedRequest {
  return { url: '', address: undefined, isPeer: false, waitMs: undefined, placement: undefined, sentBefore: UNKNOWN }
}
