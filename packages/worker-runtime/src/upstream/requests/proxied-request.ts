// One request that a proxy worker passes to an upstream server, and its answer.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { isIdempotent } from '../../forward/attempts.ts'
import type { ClientWork } from '../../forward/clients.ts'
import type { AnswerHead } from '../connection/answer-fields.ts'
import { AnswerPassing } from '../connection/answer-passing.ts'
import { type FailureReason, reasonOf } from '../connection/failure.ts'
import { fieldLines, RequestSending } from '../connection/request-sending.ts'
import type { ConnectionUser, UpstreamConnection } from '../connection/upstream-connection.ts'
import { type AnswerChanges, writeUpstreamHead, writeUpstreamInformation } from '../fields/answer-head.ts'
import type { ProxiedFields } from '../fields/request-fields.ts'
import type { UpstreamServer } from '../servers/upstream-server.ts'
import { type AttemptContext, UpstreamAttempts } from './attempts.ts'
import type { ClientConnection } from './client-connection.ts'

/** The end of a head after which the connection serves no other request. */
const CLOSES = 'Connection: close\r\n\r\n'
/** What no target may contain. */
const FORBIDDEN_IN_TARGET = /[^\x21-\x7e\x80-\xff]/
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

/** One request on one connection, until its answer is complete or the connection is lost. */
interface Attempt {
  readonly server: UpstreamServer
  /** What is sent before the body. */
  readonly head: string
  readonly connection: UpstreamConnection
  isConnected: boolean
  /** Why it was broken off. */
  late: FailureReason | undefined
  /** Bytes that the client had taken when it was last found slow. */
  passed: number
}

/** A request in the form that upstream servers get. */
export interface ProxiedTarget extends ProxiedFields {
  readonly target: string
}

/** Owns one request until its answer is complete. */
export class ProxiedRequest extends UpstreamAttempts implements ConnectionUser, ClientWork {
  protected override readonly context: ProxyContext
  private readonly client: ClientConnection
  private readonly response: ServerResponse
  private readonly proxied: ProxiedTarget
  private readonly sending: RequestSending
  private attempt: Attempt | undefined
  private answer: AnswerPassing | undefined
  private interims = 0

  constructor(context: ProxyContext, client: ClientConnection, request: IncomingMessage, response: ServerResponse, proxied: ProxiedTarget) {
    super(context, request)
    this.client = client
    this.context = context
    this.response = response
    this.proxied = proxied
    this.sending = new RequestSending(request)
  }

  begin(): void {
    if (this.request.socket.destroyed) return
    this.client.current = this
    this.choose()
  }

  onClientClose(): void {
    this.attempt?.connection.abandon()
    this.finish()
  }

  protected override send(server: UpstreamServer): void {
    const { context, request } = this
    const header = context.proxyHeader?.(request)
    const head = this.headFor(server, header === undefined ? 'keep-alive' : 'close')
    if (head === undefined) {
      // A lenient parser accepted what no server must get.
      this.endAttempt()
      return this.refuse(400, 'bad-request')
    }
    const connection = server.connections.take(header)
    this.attempt = { server, head, connection, isConnected: false, late: undefined, passed: -1 }
    connection.begin(this, request.method === 'HEAD')
  }

  protected override refuse(status: number, reason: string): void {
    const { response } = this
    this.finish()
    if (response.headersSent) return void response.destroy()
    sendRefusal(response, status, reason)
  }

  // From the connection.

  onConnect(): void {
    const { attempt } = this
    if (attempt === undefined) return
    attempt.isConnected = true
    // Nothing was read from the client until now, so that another server could still get the whole request.
    this.sending.begin(attempt.connection.socket, attempt.head)
  }

  onInformation(head: AnswerHead): void {
    if (!this.isOver && ++this.interims <= MAX_INTERIM) writeUpstreamInformation(head, this.response)
  }

  onHead(head: AnswerHead): void {
    const { request, response, context, attempt } = this
    if (this.isOver || attempt === undefined) return
    if (response.destroyed) return attempt.connection.destroy()
    this.onAnswer()
    attempt.connection.recordKeepAlive(head.keepAlive)
    try {
      const isFramed = writeUpstreamHead(head, response, context.changesFor(request, attempt.server))
      this.answer = new AnswerPassing(response, isFramed)
    } catch {
      context.onFailure('bad-answer', attempt.server, request)
      attempt.connection.abandon()
      this.refuse(502, 'bad-answer')
    }
  }

  onBody(part: Buffer): void {
    this.answer?.add(part)
  }

  onRead(): void {
    const { answer, response, attempt } = this
    if (answer === undefined || response.destroyed || answer.flush()) return
    attempt?.connection.pause()
    response.once('drain', () => {
      if (this.attempt === attempt) attempt?.connection.resume()
    })
  }

  get isSent(): boolean {
    return this.sending.isSent && this.attempt?.head.endsWith(CLOSES) === false
  }

  onEnd(trailers: readonly string[]): void {
    const { answer, response } = this
    this.attempt = undefined
    // Before others get the connection, which may overwrite what was read.
    if (answer !== undefined && !response.destroyed) answer.end(trailers)
    this.finish()
  }

  onDrain(): void {
    this.sending.resume()
  }

  onSilence(): void {
    const { attempt, answer, request, context } = this
    // The connect timer has its own deadline.
    if (attempt?.isConnected !== true) return
    const client = request.socket
    const { connection } = attempt
    const passed = client.bytesWritten - client.writableLength
    if (connection.isPaused && passed !== attempt.passed) {
      // The client is slow, but reads. Node reports one silence alone.
      attempt.passed = passed
      return void connection.socket.setTimeout(context.responseTimeoutMs)
    }
    const waitsForClient = answer === undefined && !request.complete && !connection.socket.writableNeedDrain
    attempt.late = waitsForClient ? 'client-timeout' : 'response-timeout'
    connection.destroy()
  }

  onLost(error: Error | undefined): void {
    const { attempt, answer, request, sending } = this
    if (this.isOver || attempt === undefined) return
    this.attempt = undefined
    if (answer !== undefined) {
      this.finish()
      return answer.breakOff()
    }
    const { isConnected, connection, server, late } = attempt
    this.onLoss({
      reason: late ?? reasonOf(error, isConnected, server.address.protocol === 'https'),
      isUnsent: !isConnected,
      isRepeatable: isConnected && !connection.hasAnswered && isIdempotent(request.method) && sending.isWhole,
      isReused: connection.isReused,
    })
  }

  /** The request's head. undefined: no server must get it. */
  private headFor(server: UpstreamServer, connection: 'keep-alive' | 'close'): string | undefined {
    const { context, request, proxied } = this
    const fields = fieldLines(proxied.fields)
    if (fields === undefined || FORBIDDEN_IN_TARGET.test(proxied.target)) return undefined
    return `${request.method} ${proxied.target} HTTP/1.1\r\nHost: ${context.hostFor(server, proxied.host)}\r\n${fields}Connection: ${connection}\r\n\r\n`
  }

  private finish(): void {
    this.stop()
    if (this.client.current === this) this.client.current = undefined
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
