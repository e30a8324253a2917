// One stream of HTTP/2 and its in-process HTTP/1.1 exchange with the app's server.

import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { lastChunk, type RequestHead } from './request-head.ts'
import { ResponseReader, type ResponseSink } from './response-reader.ts'
import type { StreamEnd, StreamSocket } from './stream-socket.ts'

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR } = constants
const LINE_END = '\r\n'

const exchangeKey = Symbol('switchyard.stream')

interface Stream extends ServerHttp2Stream {
  [exchangeKey]?: StreamExchange
}

export interface StreamExchangeOptions {
  /** The client accepts no more for this long: the stream is reset. */
  readonly sendTimeoutMs: number
  /** The client has reset the stream before its response was complete. */
  readonly onReset: () => void
  /** The exchange is complete. `isKept`: the connection can have another one. */
  readonly onFree: (socket: StreamSocket, isKept: boolean) => void
  /** The stream is reset because of `sendTimeoutMs`. */
  readonly onStalled: () => void
}

export class StreamExchange implements StreamEnd, ResponseSink {
  accepts = true
  private readonly stream: Stream
  private readonly socket: StreamSocket
  private readonly head: RequestHead
  private readonly options: StreamExchangeOptions
  private readonly reader = new ResponseReader(this)
  /** Bytes of the body so far. */
  private received = 0
  private requestEnded: boolean
  private responseEnded = false
  private isOver = false
  private requestTrailers: readonly string[] = []
  private trailers: OutgoingHttpHeaders | undefined
  /** Called when the client accepts more. */
  private waiting: (() => void) | undefined

  constructor(stream: ServerHttp2Stream, socket: StreamSocket, head: RequestHead, options: StreamExchangeOptions) {
    this.stream = stream
    this.socket = socket
    this.head = head
    this.options = options
    this.requestEnded = head.framing === 'none'
  }

  /** Sends the request to the app's server. */
  begin(): void {
    const { stream, socket, head } = this
    stream[exchangeKey] = this
    socket.other = this
    this.reader.begin(head.isHead, head.framing === 'raw')
    const goesOn = socket.deliver(Buffer.from(head.text, 'latin1'))
    if (this.requestEnded || this.isOver) return
    stream.on('data', onData)
    stream.on('end', onEnd)
    stream.on('trailers', onTrailers)
    if (!goesOn) stream.pause()
  }

  // From the client.

  receive(chunk: Buffer): void {
    const { head, socket, stream } = this
    if (this.isOver) return
    // The end of a chunk comes with the size of the next one, so that no body is copied.
    if (head.framing === 'chunked') socket.deliver(Buffer.from(`${this.chunkEnd}${chunk.length.toString(16)}${LINE_END}`, 'latin1'))
    this.received += chunk.length
    if (head.framing === 'length' && this.received > head.length) return this.reset(NGHTTP2_PROTOCOL_ERROR)
    if (!socket.deliver(chunk)) stream.pause()
  }

  private get chunkEnd(): string {
    return this.received > 0 ? LINE_END : ''
  }

  receiveTrailers(raw: readonly string[]): void {
    this.requestTrailers = raw
  }

  receiveEnd(): void {
    const { head, socket } = this
    if (this.isOver) return
    this.requestEnded = true
    if (head.framing === 'chunked') socket.deliver(Buffer.from(this.chunkEnd + lastChunk(this.requestTrailers), 'latin1'))
    else if (head.framing === 'raw') socket.push(null)
    else if (this.received < head.length) return this.reset(NGHTTP2_PROTOCOL_ERROR)
    if (this.responseEnded) this.finish()
  }

  drained(): void {
    if (!this.accepts && !this.stream.destroyed) this.stream.setTimeout(0)
    this.accepts = true
    const { waiting } = this
    this.waiting = undefined
    waiting?.()
  }

  streamClosed(): void {
    if (this.isOver) return
    this.isOver = true
    if (!this.responseEnded) this.options.onReset()
    this.socket.other = undefined
    // The app sees a client that has closed its connection.
    this.socket.destroy()
    this.drained()
  }

  sendTrailers(): void {
    try {
      this.stream.sendTrailers(this.trailers ?? {})
    } catch {
      this.stream.close(NGHTTP2_INTERNAL_ERROR)
    }
  }

  // From the app's server.

  onWantsMore(): void {
    if (!this.requestEnded) this.stream.resume()
  }

  onWrite(chunk: Buffer | string, encoding: BufferEncoding, done: () => void): void {
    this.reader.read(chunk, encoding)
    if (this.accepts || this.isOver) return done()
    this.waiting = done
  }

  onFinish(): void {
    if (this.reader.endsWithConnection) this.onEnd(undefined)
  }

  onClose(): void {
    if (this.isOver) return
    const { stream } = this
    this.isOver = true
    if (this.responseEnded) {
      // The app has closed its connection behind the response: it reads no more of the request.
      if (!this.requestEnded) stream.close(NGHTTP2_NO_ERROR)
    } else if (this.reader.endsWithConnection) stream.end()
    else breakOff(stream, NGHTTP2_INTERNAL_ERROR)
  }

  onInformation(status: number, fields: OutgoingHttpHeaders): void {
    if (this.stream.headersSent || this.stream.destroyed) return
    fields[':status'] = status
    try {
      this.stream.additionalHeaders(fields)
    } catch {
      // The client does without an interim answer.
    }
  }

  onHead(status: number, fields: OutgoingHttpHeaders, hasBody: boolean): void {
    const { stream, head } = this
    if (stream.destroyed) return
    const waitForTrailers = hasBody && head.framing !== 'raw' && (head.takesTrailers || fields.trailer !== undefined)
    fields[':status'] = status
    try {
      stream.respond(fields, { endStream: !hasBody, sendDate: false, waitForTrailers } as object)
      if (waitForTrailers) stream.on('wantTrailers', onWantTrailers)
    } catch {
      // Node has no such field in HTTP/2.
      this.reset(NGHTTP2_INTERNAL_ERROR)
    }
  }

  onBody(part: Buffer | string, encoding: BufferEncoding | undefined, isLast: boolean): void {
    const { stream } = this
    if (stream.destroyed || stream.writableEnded) return
    // Then the last frame ends the stream.
    if (isLast) return void stream.end(part, encoding as BufferEncoding)
    if (stream.write(part, encoding as BufferEncoding)) return
    if (this.accepts) stream.once('drain', onDrain)
    this.accepts = false
    resetIfStalled(stream, this.options.sendTimeoutMs, this.options.onStalled)
  }

  onEnd(trailers: OutgoingHttpHeaders | undefined): void {
    if (this.responseEnded || this.isOver) return
    this.responseEnded = true
    this.trailers = trailers
    if (!this.stream.writableEnded) this.stream.end()
    if (this.requestEnded) this.finish()
  }

  onFault(): void {
    this.reset(NGHTTP2_INTERNAL_ERROR)
  }

  private finish(): void {
    if (this.isOver || this.head.framing === 'raw') return
    this.isOver = true
    this.socket.other = undefined
    this.options.onFree(this.socket, !this.reader.closes)
  }

  private reset(code: number): void {
    if (this.isOver) return
    this.isOver = true
    this.socket.other = undefined
    this.socket.destroy()
    breakOff(this.stream, code)
    this.drained()
  }
}

/** Call it when a stream has closed. */
export function endExchange(stream: Stream): void {
  stream[exchangeKey]?.streamClosed()
}

/** Resets a stream whose client accepts nothing of what waits for it for this long. */
export function resetIfStalled(stream: ServerHttp2Stream, timeoutMs: number, onStalled: () => void): void {
  if (stream.listenerCount('timeout') === 0) {
    stream.on('timeout', () => {
      onStalled()
      stream.close(NGHTTP2_CANCEL)
    })
  }
  stream.setTimeout(timeoutMs)
}

/** Node's `close()` ends the response before it resets the stream, so that a part of a response would look complete. */
function breakOff(stream: ServerHttp2Stream, code: number): void {
  if (stream.headersSent && !stream.writableEnded) stream.destroy(new Error('the app broke off its response'))
  else stream.close(code)
}

function onData(this: Stream, chunk: Buffer): void {
  this[exchangeKey]?.receive(chunk)
}

function onEnd(this: Stream): void {
  this[exchangeKey]?.receiveEnd()
}

function onTrailers(this: Stream, _fields: object, _flags: number, raw: string[]): void {
  this[exchangeKey]?.receiveTrailers(raw)
}

function onDrain(this: Stream): void {
  this[exchangeKey]?.drained()
}

function onWantTrailers(this: Stream): void {
  this[exchangeKey]?.sendTrailers()
}
