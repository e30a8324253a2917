// One request that a proxy worker passes to an upstream server, and its answer.

import { type ClientRequest, type IncomingMessage, type InformationEvent, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { AnswerPassing } from '../forward/answer.ts'
import { isIdempotent } from '../forward/attempts.ts'
import { unwatchClient, watchClient } from '../forward/clients.ts'
import { RequestSending } from '../forward/request.ts'
import { ForwardRequest } from '../forward/unobserved.ts'
import { type AttemptContext, UpstreamAttempts } from './attempts.ts'
import { recordKeepAlive } from './connections.ts'
import { type FailureReason, reasonOf } from './failure.ts'
import { type AnswerChanges, upstreamWriting, writeUpstreamInformation } from './fields/answer-head.ts'
import { trailerFields } from './fields/hop-fields.ts'
import type { ProxiedFields } from './fields/request-fields.ts'
import type { UpstreamServer } from './upstream-server.ts'

const MAX_ANSWER_HEAD_BYTES = 64 * 1024
/** Interim answers of one request that are passed on. */
const MAX_INTERIM = 32

/** What all requests of a proxy worker share. */
export interface ProxyContext extends AttemptContext {
  readonly responseTimeoutMs: number
  readonly tunnelTimeoutMs: number
  /** The Host for a server. */
  readonly hostFor: (server: UpstreamServer, host: string) => string
  /** The header of the PROXY protocol for the client of a request; undefined: none is sent. */
  readonly proxyHeader: ((request: IncomingMessage) => Buffer) | undefined
  /** What changes in the head of an answer of this server. */
  readonly changesFor: (request: IncomingMessage, server: UpstreamServer) => AnswerChanges
}

/** A request in the form that upstream servers get. */
export interface ProxiedTarget extends ProxiedFields {
  readonly target: string
}

/** Owns one request until its answer is complete. */
export class ProxiedRequest extends UpstreamAttempts {
  protected override readonly context: ProxyContext
  private readonly response: ServerResponse
  private readonly proxied: ProxiedTarget
  private readonly sending: RequestSending
  private upstream: ClientRequest | undefined
  private answer: AnswerPassing | undefined
  private interims = 0

  constructor(context: ProxyContext, request: IncomingMessage, response: ServerResponse, proxied: ProxiedTarget) {
    super(context, request)
    this.context = context
    this.response = response
    this.proxied = proxied
    this.sending = new RequestSending(request, ({ rawTrailers }) => trailerFields(rawTrailers))
  }

  begin(): void {
    const { socket } = this.request
    if (socket.destroyed) return
    watchClient(socket, this)
    this.choose()
  }

  onClientClose(): void {
    this.upstream?.destroy()
    this.finish()
  }

  protected override send(server: UpstreamServer): void {
    const { context, request, proxied, sending } = this
    let isConnected = false
    let late: FailureReason | undefined
    let error: Error | undefined
    let socket: Socket | undefined
    let readBefore = 0
    let upstream: ClientRequest
    const header = context.proxyHeader?.(request)
    try {
      upstream = new ForwardRequest({
        ...(header === undefined ? { agent: server.connections } : { createConnection: () => server.connections.open({ header }) }),
        method: request.method,
        path: proxied.target,
        headers: ['Host', context.hostFor(server, proxied.host), ...proxied.fields],
        maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
        timeout: context.responseTimeoutMs,
      })
    } catch {
      // A lenient parser accepted a head that Node's client refuses to write.
      this.endAttempt()
      return this.refuse(400, 'bad-request')
    }
    this.upstream = upstream
    this.answer = undefined
    upstream.maxHeadersCount = 0
    const onConnect = () => {
      isConnected = true
      readBefore = socket?.bytesRead ?? 0
      if (this.isOver || this.upstream !== upstream) return
      // Nothing was read from the client until now, so that another server could still get the whole request.
      sending.begin(upstream)
    }
    upstream.on('socket', (assigned: Socket) => {
      socket = assigned
      assigned.on('timeout', onSilence)
      const isSecuring = (assigned as TLSSocket & { secureConnecting?: boolean }).secureConnecting === true
      if (isSecuring) assigned.once('secureConnect', onConnect)
      else if (assigned.connecting) assigned.once('connect', onConnect)
      else if (!assigned.destroyed) onConnect()
    })
    upstream.on('information', (information: InformationEvent) => {
      if (!this.isOver && ++this.interims <= MAX_INTERIM) writeUpstreamInformation(information, this.response)
    })
    upstream.on('response', (answer) => this.accept(answer, server, socket))
    upstream.on('upgrade', (_answer, switched: Socket) => {
      // The request asked for no upgrade.
      error = Object.assign(new Error('an upgrade that was not asked for'), { code: 'HPE_UPGRADE' })
      switched.destroy()
      process.nextTick(lost)
    })
    let written = -1
    // Node's request reports one silence alone.
    const onSilence = () => {
      // The connect timer has its own deadline.
      if (!isConnected) return
      const client = request.socket
      const passed = client.bytesWritten - client.writableLength
      if (this.answer?.isPaused === true && passed !== written) {
        // The client is slow, but reads.
        written = passed
        return void socket?.setTimeout(context.responseTimeoutMs)
      }
      late = this.answer === undefined && !request.complete && !upstream.writableNeedDrain ? 'client-timeout' : 'response-timeout'
      upstream.destroy(new Error('no answer in time'))
    }
    upstream.on('error', (cause) => {
      error ??= cause
      // Break off at once: Node may treat the end of the connection as the end of the answer.
      if (this.answer !== undefined && this.upstream === upstream && !this.answer.isComplete) this.breakOff(this.answer)
    })
    const lost = () => {
      if (this.isOver || this.upstream !== upstream) return
      if (this.answer !== undefined) return this.answer.isComplete ? this.finish() : this.breakOff(this.answer)
      this.upstream = undefined
      const hasAnswered = socket !== undefined && socket.bytesRead > readBefore
      this.onLoss({
        reason: late ?? reasonOf(error, isConnected, server.address.protocol === 'https'),
        isUnsent: !isConnected,
        isRepeatable: isConnected && !hasAnswered && isIdempotent(request.method) && sending.isWhole,
        isReused: upstream.reusedSocket,
      })
    }
    upstream.on('close', () => {
      // The connection may serve another request.
      socket?.off('timeout', onSilence)
      lost()
    })
  }

  protected override refuse(status: number, reason: string): void {
    const { response } = this
    this.finish()
    if (response.headersSent) return void response.destroy()
    sendRefusal(response, status, reason)
  }

  private accept(answer: IncomingMessage, server: UpstreamServer, socket: Socket | undefined): void {
    const { request, response, context, upstream } = this
    if (this.isOver || response.destroyed) return void upstream?.destroy()
    this.onAnswer()
    if (socket !== undefined) recordKeepAlive(socket, answer.headers['keep-alive'] as string | undefined)
    // The answer came before the end of the request: the connection can't serve another one.
    answer.once('end', () => {
      if (upstream !== undefined && !upstream.writableFinished) upstream.destroy()
    })
    try {
      this.answer = new AnswerPassing(answer, response, upstreamWriting(context.changesFor(request, server)))
    } catch {
      context.onFailure('bad-answer', server, request)
      this.refuse(502, 'bad-answer')
      upstream?.destroy()
    }
  }

  private breakOff(answer: AnswerPassing): void {
    this.finish()
    answer.breakOff()
  }

  private finish(): void {
    this.stop()
    unwatchClient(this.request.socket, this)
    this.sending.stop()
  }
}

/** Answers with an error, and says why in one word. */
export function sendRefusal(response: ServerResponse, status: number, reason: string): void {
  const text = `${status} ${STATUS_CODES[status]} (${reason})\n`
  response.writeHead(status, {
    'Content-Type': 'text/plain',
    'Content-Length': text.length,
    'Cache-Control': 'no-store',
    ...(status === 503 && { 'Retry-After': '1' }),
  })
  response.end(text)
}
