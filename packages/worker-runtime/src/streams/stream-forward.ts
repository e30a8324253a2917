// One forwarded stream and its answer, in the worker that has the client's connection. It goes over a connection of HTTP/2 to the worker that serves it, as
// the client has sent it.

import { type ClientHttp2Stream, constants } from 'node:http2'
import { type Choose, ForwardAttempts, type ForwardOptions, isIdempotent, type RefusalStatus, refusalText } from '../forward/attempts.ts'
import type { HeldStream } from '../http2/held-stream.ts'
import type { StreamHead } from '../http2/http2-session.ts'
import type { ClientConnection } from './client-connection.ts'
import type { KeptConnection } from './kept-connection.ts'
import { RequestBody } from './request-body.ts'
import { StreamAnswer } from './stream-answer.ts'
import { fieldsFrom } from './stream-fields.ts'

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants

/** Of a call of gRPC: the worker is not there, so a client may repeat the call if its policy says so. */
const UNAVAILABLE = 14
const IS_GRPC = /^application\/grpc(?:[+;]|$)/
/** How often a stream is sent again because a worker refused it unread. */
const MAX_REFUSALS = 3

export interface StreamForwardOptions {
  readonly held: HeldStream
  readonly head: StreamHead
  readonly client: ClientConnection
  readonly choose: Choose
  /** Called when this worker should serve it after all. */
  readonly serveHere: () => void
  /** Called when the client resets it before its answer is complete. */
  readonly onReset: (() => void) | undefined
}

export class StreamForward extends ForwardAttempts {
  private readonly held: HeldStream
  private readonly head: StreamHead
  private readonly client: ClientConnection
  private readonly onReset: (() => void) | undefined
  private readonly body: RequestBody
  private readonly hasBody: boolean
  private upstream: ClientHttp2Stream | undefined
  private refusals = 0

  constructor(options: Omit<ForwardOptions, 'connections'>, { held, head, client, choose, serveHere, onReset }: StreamForwardOptions) {
    super(options as ForwardOptions, choose, serveHere)
    this.held = held
    this.head = head
    this.client = client
    this.onReset = onReset
    this.body = new RequestBody(held.stream)
    this.hasBody = (head.flags & NGHTTP2_FLAG_END_STREAM) === 0
  }

  /** Never throws. */
  start(): void {
    const { stream } = this.held
    stream.on('aborted', this.onClientGone)
    stream.on('close', this.onClientGone)
    void this.ask()
  }

  protected override send(socketPath: string): void {
    const connection = this.client.connectionTo(socketPath)
    if (connection === undefined) return this.refuse(503)
    connection.whenReady(() => {
      if (!this.isOver) this.sendOver(connection)
    })
  }

  protected override refuse(status: RefusalStatus): void {
    const { stream } = this.held
    this.finish()
    this.body.discard()
    if (stream.destroyed || stream.headersSent) return
    if (this.isGrpc) {
      const fields = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': UNAVAILABLE, 'grpc-message': 'no worker' }
      return void stream.respond(fields, { endStream: true })
    }
    const text = refusalText(status)
    const retry = status === 503 ? { 'retry-after': '1' } : {}
    stream.respond({ ':status': status, 'content-type': 'text/plain', 'content-length': text.length, ...retry })
    stream.end(text)
  }

  protected override cut(): void {
    this.finish()
    this.body.discard()
    this.held.stream.close(NGHTTP2_INTERNAL_ERROR)
  }

  protected override release(): boolean {
    if (!this.body.isUntouched) return false
    this.finish()
    return true
  }

  private sendOver(connection: KeptConnection): void {
    const { parsed, raw } = this.head
    if (!connection.isConnected) {
      void this.onLoss(connection.socketPath, { refused: true, error: connection.error, repeatable: true })
      return
    }
    let upstream: ClientHttp2Stream | undefined
    try {
      const { hasBody } = this
      // Calls of gRPC have no trailers of the client, and waiting for them costs a frame.
      upstream = connection.open(fieldsFrom(raw, parsed), { endStream: !hasBody, waitForTrailers: hasBody && !this.isGrpc })
    } catch {
      // Node refuses to write what it has read.
      return this.reset(NGHTTP2_INTERNAL_ERROR)
    }
    // It has ended in this moment.
    if (upstream === undefined) return this.sendAgain()
    this.upstream = upstream
    const answer = new StreamAnswer(upstream, this.held.stream, () => this.onAnswer())
    upstream.on('error', ignore)
    upstream.on('wantTrailers', onWantTrailers(this.held))
    upstream.once('close', () => this.onUpstreamClose(connection, answer, upstream.rstCode))
    if (this.hasBody) this.body.sendTo(upstream)
  }

  private get isGrpc(): boolean {
    return IS_GRPC.test(this.head.parsed['content-type'] ?? '')
  }

  private onAnswer(): void {
    this.body.forget()
    // The end of a stream without a body must be read too.
    if (!this.hasBody) this.held.stream.resume()
  }

  private onUpstreamClose(connection: KeptConnection, answer: StreamAnswer, code: number): void {
    if (this.isOver) return
    this.upstream = undefined
    if (answer.isComplete) {
      this.finish()
      const isSending = this.hasBody && !this.body.hasEnded
      if (isSending) this.body.discard()
      return answer.finish(code, isSending)
    }
    if (answer.hasBegun) {
      this.finish()
      this.body.discard()
      // Of a connection that breaks, Node closes the streams with CANCEL, which is not what the worker says.
      return answer.breakOff(code === NGHTTP2_NO_ERROR || connection.isLost ? NGHTTP2_INTERNAL_ERROR : code)
    }
    this.body.pause()
    // The worker has not begun it, because it drains or has too many (RFC 9113 §8.7).
    if (code === NGHTTP2_REFUSED_STREAM) return this.sendAgain()
    if (!connection.isLost) return this.reset(code)
    const repeatable = !this.hasBody && isIdempotent(String(this.head.parsed[':method']))
    void this.onLoss(connection.socketPath, { refused: false, error: connection.error, repeatable })
  }

  /** The stream was not begun. */
  private sendAgain(): void {
    if (!this.body.isRepeatable || ++this.refusals > MAX_REFUSALS) return this.reset(NGHTTP2_REFUSED_STREAM)
    void this.ask()
  }

  private reset(code: number): void {
    this.finish()
    this.body.discard()
    this.held.stream.close(code)
  }

  private readonly onClientGone = (): void => {
    if (this.isOver) return
    const { rstCode } = this.held.stream
    this.finish()
    this.onReset?.()
    this.upstream?.close(rstCode === undefined || rstCode === NGHTTP2_NO_ERROR ? NGHTTP2_CANCEL : rstCode)
  }

  private finish(): void {
    this.isOver = true
    const { stream } = this.held
    stream.off('aborted', this.onClientGone)
    stream.off('close', this.onClientGone)
  }
}

/** The client's trailers have come before the end of its body. */
function onWantTrailers(held: HeldStream): (this: ClientHttp2Stream) => void {
  return function () {
    const { trailers } = held
    this.sendTrailers(trailers === undefined ? {} : fieldsFrom(trailers.raw, trailers.parsed))
  }
}

function ignore(): void {}
