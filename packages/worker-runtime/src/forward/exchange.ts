// One forwarded request and its answer.

import { ClientRequest, type IncomingMessage, type InformationEvent, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { AnswerPassing } from './answer.ts'
import { writeInformation } from './answer-head.ts'
import { type Choose, ForwardAttempts, type ForwardParts, isIdempotent, type RefusalStatus, refusalText, wasUnread } from './attempts.ts'
import { unwatchClient, watchClient } from './clients.ts'
import { fieldsOf } from './forwarded-field.ts'
import { RequestSending } from './request.ts'

/** An app's own server sets no bound to its response heads, but a buffer has one. */
const MAX_ANSWER_HEAD_BYTES = 1024 * 1024

const CLOSE = /close/i

// Taken when this module is loaded, before the app: what a tracing or mocking library puts there later is for the app's own requests.
const NodeRequest = ClientRequest

const exchangeKey = Symbol('switchyard.exchange')

type Upstream = ClientRequest & { [exchangeKey]?: Exchange }

/** Owns one request until its answer has come. */
export class Exchange extends ForwardAttempts {
  private readonly request: IncomingMessage
  private readonly response: ServerResponse
  private readonly sending: RequestSending
  private upstream: Upstream | undefined
  private socketPath = ''
  private connected = false
  private error: Error | undefined
  private answer: AnswerPassing | undefined

  constructor(parts: ForwardParts, request: IncomingMessage, response: ServerResponse, choose: Choose, serveHere: () => void) {
    super(parts, choose, serveHere)
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

  leave(): void {
    this.over = true
    this.upstream?.destroy()
  }

  protected override send(socketPath: string): void {
    const { parts, request } = this
    if (parts.connections.isFull(socketPath)) return this.refuse(503)
    this.socketPath = socketPath
    this.connected = false
    this.error = undefined
    let upstream: Upstream
    try {
      upstream = new NodeRequest({
        agent: parts.connections,
        socketPath,
        method: request.method,
        path: request.url,
        headers: fieldsOf(request, parts.token),
        maxHeaderSize: MAX_ANSWER_HEAD_BYTES,
      })
    } catch {
      // A head that a lenient parser took and Node's client does not write.
      return this.refuse(502)
    }
    this.upstream = upstream
    upstream[exchangeKey] = this
    upstream.maxHeadersCount = 0
    // The other worker's parser takes nothing more behind such a request, whatever the app says of the connection.
    if (CLOSE.test(request.headers.connection ?? '')) upstream.shouldKeepAlive = false
    upstream.on('socket', onSocket)
    upstream.on('information', onInformation)
    upstream.on('response', onResponse)
    upstream.on('error', onError)
    upstream.on('close', onClose)
  }

  /** The connection stands. Until now nothing was taken from the client, so that another worker could still have all of it. */
  connect(): void {
    if (this.over || this.upstream === undefined) return
    this.connected = true
    this.sending.begin(this.upstream)
  }

  /** An interim answer has come. */
  inform(information: InformationEvent): void {
    if (!this.over) writeInformation(information, this.response)
  }

  /** The answer begins. */
  accept(answer: IncomingMessage): void {
    if (this.over || this.response.destroyed) return void this.upstream?.destroy()
    try {
      this.answer = new AnswerPassing(answer, this.response)
    } catch {
      this.refuse(502)
      this.upstream?.destroy()
    }
  }

  /** The connection to the worker is broken; it will close. */
  fail(error: Error): void {
    this.error = error
    // Now, for Node may take the end of the connection for the end of the answer.
    if (this.answer !== undefined && !this.answer.isComplete) this.breakOff(this.answer)
  }

  /** Nothing more comes from the worker. */
  close(): void {
    if (this.over) return
    if (this.answer !== undefined) return this.answer.isComplete ? this.finish() : this.breakOff(this.answer)
    const { sending } = this
    const repeatable = sending.isWhole && (wasUnread(this.error) || (sending.isWithoutBody && isIdempotent(this.request.method)))
    void this.lose(this.socketPath, { refused: !this.connected, error: this.error, repeatable })
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
    this.over = true
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
