// The body of one forwarded request, from the client's connection to the other worker.

import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { addTrailers } from './raw-fields.ts'

/** A request no larger than this beside its head leaves in one write and is read in one read. */
const MAX_WHOLE_BYTES = 8 * 1024

const sendingKey = Symbol('switchyard.sending')

interface Sent {
  [sendingKey]?: RequestSending
}

/** Sends one request, as often as it may. The listeners are shared functions that find it on the object they are called for. */
export class RequestSending {
  private readonly request: IncomingMessage & Sent
  private readonly hasBody: boolean
  /** 0: it is not told. */
  private readonly length: number
  private upstream: ClientRequest | undefined
  /** What is to be sent next. */
  private next: 'nothing yet' | 'head' | 'body' | 'nothing more' = 'nothing yet'
  /** A body that was there whole and left together with the head. */
  private whole: Buffer | undefined

  constructor(request: IncomingMessage) {
    this.request = request
    const { headers } = request
    this.length = Number(headers['content-length'] ?? 0)
    this.hasBody = this.length !== 0 || headers['transfer-encoding'] !== undefined
  }

  /** Nothing has been read off the request: the app can have it. */
  get isUntouched(): boolean {
    return this.next === 'nothing yet'
  }

  /** All of the request is at hand, and left in one piece if it left. */
  get isWhole(): boolean {
    return !this.hasBody || this.whole !== undefined
  }

  get isWithoutBody(): boolean {
    return !this.hasBody
  }

  /** Sends it; `upstream` is connected. */
  begin(upstream: ClientRequest): void {
    this.upstream = upstream
    if (!this.hasBody) upstream.end()
    else if (this.whole !== undefined) this.end(this.whole)
    else {
      const { request } = this
      // The head leaves with the first of the body, if that has come, and Node has not sent it already.
      this.next = request.readableLength > 0 && request.headers.expect === undefined ? 'head' : 'body'
      if (this.next === 'body') upstream.flushHeaders()
      request[sendingKey] = this
      request.on('data', onData)
      request.on('end', onEnd)
    }
  }

  /** The answer has come before the end of the request, or none will: the rest is for nobody. */
  stop(): void {
    if (this.next !== 'head' && this.next !== 'body') return
    this.next = 'nothing more'
    this.request.off('data', onData)
    this.request.off('end', onEnd)
    this.request.resume()
  }

  /** More of the body has come. */
  pass(chunk: Buffer): void {
    const { request, upstream } = this
    // Node tells of a body's end a little later than of its last part.
    if (chunk.length === this.length || (request.complete && request.readableLength === 0)) {
      if (this.next === 'head' && chunk.length <= MAX_WHOLE_BYTES) this.whole = chunk
      return this.end(chunk)
    }
    this.next = 'body'
    if (upstream === undefined || upstream.write(chunk)) return
    request.pause()
    const socket: (Socket & Sent) | null = upstream.socket
    if (socket === null) return
    // Not the request's own 'drain': Node forgets it when the answer comes before the end of the request.
    socket[sendingKey] = this
    socket.once('drain', onDrain)
  }

  /** All of the body has come. */
  finish(): void {
    if (this.next !== 'nothing more') this.end()
  }

  /** The other worker takes more. */
  resume(): void {
    this.request.resume()
  }

  private end(chunk?: Buffer): void {
    const { request, upstream } = this
    this.next = 'nothing more'
    if (upstream === undefined) return
    addTrailers(upstream, request.rawTrailers)
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
