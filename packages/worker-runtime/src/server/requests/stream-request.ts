// A stream that the app's own HTTP/2 server takes as a stream, in the shape of a request and its response, so that it is counted and logged like one.

import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'

const OK = 200

class StreamRequest {
  readonly httpVersion = '2.0'
  readonly httpVersionMajor = 2
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly socket: Socket

  constructor(headers: IncomingHttpHeaders, rawHeaders: readonly string[], socket: Socket) {
    this.method = headers[':method'] ?? 'GET'
    this.url = headers[':path'] ?? '/'
    this.headers = headers
    this.rawHeaders = rawHeaders
    this.socket = socket
  }
}

class StreamResponse extends EventEmitter {
  readonly req: StreamRequest
  readonly socket = null
  private readonly stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream, request: StreamRequest) {
    super()
    this.stream = stream
    this.req = request
    stream.once('close', () => this.emit('close'))
  }

  get headersSent(): boolean {
    return this.stream.headersSent
  }
  get statusCode(): number {
    return Number(this.stream.sentHeaders?.[':status'] ?? OK)
  }
  get writableEnded(): boolean {
    return this.stream.writableEnded && !this.stream.aborted
  }
}

/** The request and the response that stand for a stream. They can be read only. */
export function requestOf(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
  socket: Socket,
): { request: IncomingMessage; response: ServerResponse } {
  const request = new StreamRequest(headers, rawHeaders, socket)
  const response = new StreamResponse(stream, request)
  return { request: request as unknown as IncomingMessage, response: response as unknown as ServerResponse }
}
