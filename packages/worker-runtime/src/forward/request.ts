// Sends one forwarded request from the client's connection to the other worker.

import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { addTrailers } from './raw-fields.ts'

/** A body up to this size leaves in one write with its head, and is read in one read. */
const MAX_WHOLE_BYTES = 8 * 1024

const sendingKey = Symbol('switchyard.sending')

interface Sent {
  [sendingKey]?: RequestSending
}

/** Sends one request, again if it is repeatable. The listeners are shared functions, which find this object on the emitter. */
export class RequestSending {
  private readonly request: IncomingMessage & Sent
  private readonly hasBody: boolean
  /** From Content-Length; 0 without one. */
  private readonly length: number
  private readonly trailersOf: (request: IncomingMessage) => readonly string[]
  private upstream: ClientRequest | undefined
  /** The part to send next. */
  private next: 'nothing yet' | 'head' | 'body' | 'nothing more' = 'nothing yet'
  /** A body that was at hand completely and left together with the head. */
  private whole: Buffer | undefined

  /** `trailersOf`: the trailers that pass; left out: all. */
  constructor(request: IncomingMessage, trailersOf: (request: IncomingMessage) => readonly string[] = ({ rawTrailers }) => rawTrailers) {
    this.request = request
    this.trailersOf = trailersOf
    const { headers } = request
    this.length = Number(headers['content-length'] ?? 0)
    this.hasBody = this.length !== 0 || headers['transfer-encoding'] !== undefined
  }

  /** Nothing of the body has been read, so the app can still have the request. */
  get isUntouched(): boolean {
    return this.next === 'nothing yet'
  }

  /** The whole request is at hand; if it was sent, then in one piece. */
  get isWhole(): boolean {
    return !this.hasBody || this.whole !== undefined
  }

  get isWithoutBody(): boolean {
    return !this.hasBody
  }

  /** `upstream` is connected. */
  begin(upstream: ClientRequest): void {
    this.upstream = upstream
    if (!this.hasBody) upstream.end()
    else if (this.whole !== undefined) this.end(this.whole)
    else {
      const { request } = this
      // The head leaves with the first part of the body, if that is here, unless Node has already sent the head (Expect).
      this.next = request.readableLength > 0 && request.headers.expect === undefined ? 'head' : 'body'
      if (this.next === 'body') upstream.flushHeaders()
      request[sendingKey] = this
      request.on('data', onData)
      request.on('end', onEnd)
    }
  }

  /** The answer came before the end of the request, or none will come: the rest of the body is discarded. */
  stop(): void {
    if (this.next !== 'head' && this.next !== 'body') return
    this.next = 'nothing more'
    this.request.off('data', onData)
    this.request.off('end', onEnd)
    this.request.resume()
  }

  /** A part of the body has come. */
  pass(chunk: Buffer): void {
    const { request, upstream } = this
    // Node emits 'end' a little later than the last part.
    if (chunk.length === this.length || (request.complete && request.readableLength === 0)) {
      if (this.next === 'head' && chunk.length <= MAX_WHOLE_BYTES) this.whole = chunk
      return this.end(chunk)
    }
    this.next = 'body'
    if (upstream === undefined || upstream.write(chunk)) return
    request.pause()
    const socket: (Socket & Sent) | null = upstream.socket
    if (socket === null) return
    // The socket's 'drain': Node does not emit the request's own when the answer comes before the end of the request.
    socket[sendingKey] = this
    socket.once('drain', onDrain)
  }

  /** The body has ended. */
  finish(): void {
    if (this.next !== 'nothing more') this.end()
  }

  /** The connection to the other worker accepts more. */
  resume(): void {
    this.request.resume()
  }

  private end(chunk?: Buffer): void {
    const { request, upstream } = this
    this.next = 'nothing more'
    if (upstream === undefined) return
    addTrailers(upstream, this.trailersOf(request))
    if (chunk === undefined) upstream.end()
    else upstream.end(chunk)
  }
}

function onData(this: Sent, chunk: Buffer): void {
  this[sendingKey]?.pass(chunk)
}

function onEnd(this: Sent): void {
  this[sendingKey]?.finish()
}

function onDrain(this: Sent): void {
  this[sendingKey]?.resume()
  // The connection outlives the request.
  delete this[sendingKey]
}
