// One forwarded request and its answer, in the worker that has the client's connection.

import { type ClientRequest, type IncomingMessage, type InformationEvent, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { monotonicUs } from '@switchyard/handoff'
import { openTelemetry } from '../open-telemetry.ts'
import { AnswerPassing } from './answer.ts'
import { writeInformation } from './answer-head.ts'
import { type Choose, ForwardAttempts, type ForwardOptions, isIdempotent, type RefusalStatus, refusalText, wasUnread } from './attempts.ts'
import { unwatchClient, watchClient } from './clients.ts'
import { fieldsOf } from './forwarded-field.ts'
import { RequestSending } from './request.ts'
import { ForwardRequest } from './unobserved.ts'

/** A server does not bound its response heads, but our buffer needs a bound. */
const MAX_ANSWER_HEAD_BYTES = 1024 * 1024

const CLOSE = /close/i

const exchangeKey = Symbol('switchyard.exchange')

type Upstream = ClientRequest & { [exchangeKey]?: Exchange }

/** Owns one request until its answer is complete. */
export class Exchange extends ForwardAttempts {
  private readonly request: IncomingMessage
  private readonly response: ServerResponse
  private readonly sending: RequestSending
  /** When the forward began; undefined: the app records no traces. */
  private readonly beganUs = openTelemetry() && monotonicUs()
  private upstream: Upstream | undefined
  private socketPath = ''
  private connected = false
  private error: Error | undefined
  private answer: AnswerPassing | undefined

  constructor(options: ForwardOptions, request: IncomingMessage, response: ServerResponse, choose: Choose, serveHere: () => void) {
    super(options, choose, serveHere)
    this.request = request
    this.response = response
    this.sending = new RequestSending(request)
  }

  begin(): void {
    const { socket } = this.request
    if (socket.destroyed) return
    watchClient(socket, this)
    void this.ask()
  }

  onClientClose(): void {
    this.isOver = true
    this.upstream?.destroy()
  }

  protected override send(socketPath: string): void {
    const { options, request } = this
    if (options.connections.isFull(socketPath)) return this.refuse(503)
    this.socketPath = socketPath
    this.connected = false
    this.error = undefined
    let upstream: Upstream
    try {
      upstream = new ForwardRequest({
        agent: options.connections,
        socketPath,
        method: request.method,
        path: request.url,
        headers: fieldsOf(request, options.token, this.beganUs),
        maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
      })
    } catch {
      // A lenient parser accepted a head that Node's client refuses to write.
      return this.refuse(502)
    }
    this.upstream = upstream
    upstream[exchangeKey] = this
    upstream.maxHeadersCount = 0
    // The other worker's parser accepts nothing behind such a request, whatever the app says about the connection.
    if (CLOSE.test(request.headers.connection ?? '')) upstream.shouldKeepAlive = false
    upstream.on('socket', onSocket)
    upstream.on('information', onInformation)
    upstream.on('response', onResponse)
    upstream.on('error', onError)
    upstream.on('close', onClose)
  }

  /** The connection is established. Until now nothing was read from the client, so that another worker could still get the whole request. */
  connect(): void {
    if (this.isOver || this.upstream === undefined) return
    this.connected = true
    this.sending.begin(this.upstream)
  }

  /** An interim answer has come. */
  inform(information: InformationEvent): void {
    if (!this.isOver) writeInformation(information, this.response)
  }

  /** The answer begins. */
  accept(answer: IncomingMessage): void {
    if (this.isOver || this.response.destroyed) return void this.upstream?.destroy()
    try {
      this.answer = new AnswerPassing(answer, this.response)
    } catch {
      this.refuse(502)
      this.upstream?.destroy()
    }
  }

  /** The connection to the worker broke, and will close. */
  fail(error: Error): void {
    this.error = error
    // Break off at once: Node may treat the end of the connection as the end of the answer.
    if (this.answer !== undefined && !this.answer.isComplete) this.breakOff(this.answer)
  }

  /** Nothing more comes from the worker. */
  close(): void {
    if (this.isOver) return
    if (this.answer !== undefined) return this.answer.isComplete ? this.finish() : this.breakOff(this.answer)
    const { sending } = this
    const repeatable = sending.isWhole && (wasUnread(this.error) || (sending.isWithoutBody && isIdempotent(this.request.method)))
    void this.onLoss(this.socketPath, { refused: !this.connected, error: this.error, repeatable })
  }

  protected override refuse(status: RefusalStatus): void {
    const { response } = this
    this.finish()
    if (response.headersSent) return void response.destroy()
    const text = refusalText(status)
    response.setHeader('Content-Type', 'text/plain')
    response.setHeader('Content-Length', text.length)
    if (status === 503) response.setHeader('Retry-After', '1')
    response.writeHead(status, STATUS_CODES[status])
    response.end(text)
  }

  protected override cut(): void {
    this.finish()
    this.response.destroy()
  }

  protected override release(): boolean {
    if (!this.sending.isUntouched) return false
    this.finish()
    return true
  }

  private breakOff(answer: AnswerPassing): void {
    this.finish()
    answer.breakOff()
  }

  private finish(): void {
    this.isOver = true
    unwatchClient(this.request.socket, this)
    this.sending.stop()
  }
}

function onSocket(this: Upstream, socket: Socket): void {
  if (socket.connecting) socket.once('connect', () => this[exchangeKey]?.connect())
  else if (!socket.destroyed) this[exchangeKey]?.connect()
}

function onInformation(this: Upstream, information: InformationEvent): void {
  this[exchangeKey]?.inform(information)
}

function onResponse(this: Upstream, answer: IncomingMessage): void {
  this[exchangeKey]?.accept(answer)
}

function onError(this: Upstream, error: Error): void {
  this[exchangeKey]?.fail(error)
}

function onClose(this: Upstream): void {
  this[exchangeKey]?.close()
}
