// Passes the answer to one forwarded stream from the other worker to the client: interim answers, head, body, trailers.

import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { addAbortSignal } from 'node:stream'
import { fieldsFrom } from './stream-fields.ts'

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants

export class StreamAnswer {
  /** Has the head come? */
  hasBegun = false
  /** Has all of it come? */
  isComplete = false
  private readonly stream: ServerHttp2Stream
  private readonly upstream: ClientHttp2Stream
  private readonly onBegin: () => void
  private trailers: OutgoingHttpHeaders | undefined

  /** `onBegin` is called when the head has come. */
  constructor(upstream: ClientHttp2Stream, stream: ServerHttp2Stream, onBegin: () => void) {
    this.stream = stream
    this.upstream = upstream
    this.onBegin = onBegin
    upstream.on('headers', (fields, _flags, raw?: string[]) => this.inform(fieldsFrom(raw ?? [], fields)))
    upstream.on('response', (fields, flags, raw?: string[]) => this.begin(fields, flags, raw ?? []))
    upstream.on('trailers', (fields, _flags, raw?: string[]) => {
      this.trailers = fieldsFrom(raw ?? [], fields)
    })
  }

  /** The other worker has reset the stream, or is lost. */
  breakOff(code: number): void {
    const { stream } = this
    if (stream.destroyed) return
    // Node's `close()` ends the answer before it resets the stream, so that a part of an answer would look complete.
    if (!stream.headersSent || stream.writableEnded) return stream.close(code)
    if (code !== NGHTTP2_CANCEL) return void stream.destroy(new Error('the worker broke off its answer'))
    // Node resets with CANCEL when a signal aborts.
    const abort = new AbortController()
    addAbortSignal(abort.signal, stream)
    abort.abort()
  }

  /** The other worker has ended the stream in order. `code`: it wants no more of the request. */
  finish(code: number): void {
    if (this.stream.destroyed || this.stream.closed) return
    if (code !== NGHTTP2_NO_ERROR) return this.breakOff(code)
    // The client may still be sending.
    if (!this.stream.readableEnded) this.stream.close(NGHTTP2_NO_ERROR)
  }

  private inform(fields: OutgoingHttpHeaders): void {
    if (this.stream.headersSent || this.stream.destroyed) return
    try {
      this.stream.additionalHeaders(fields)
    } catch {
      // The client does without an interim answer.
    }
  }

  private begin(parsed: IncomingHttpHeaders, flags: number, raw: readonly string[]): void {
    const { stream, upstream } = this
    this.hasBegun = true
    this.onBegin()
    if (stream.destroyed || stream.headersSent) return
    const endStream = (flags & NGHTTP2_FLAG_END_STREAM) !== 0
    try {
      stream.respond(fieldsFrom(raw, parsed), { endStream, sendDate: false, waitForTrailers: !endStream } as object)
    } catch {
      return stream.close(NGHTTP2_INTERNAL_ERROR)
    }
    if (endStream || stream.writableEnded) {
      this.isComplete = true
      return void upstream.resume()
    }
    stream.on('wantTrailers', () => this.sendTrailers())
    upstream.on('data', (chunk: Buffer) => {
      if (stream.destroyed || stream.writableEnded || stream.write(chunk)) return
      upstream.pause()
      stream.once('drain', () => upstream.resume())
    })
    upstream.on('end', () => {
      // A stream that is reset ends too.
      if (upstream.aborted || upstream.rstCode !== NGHTTP2_NO_ERROR) return
      this.isComplete = true
      if (!stream.destroyed && !stream.writableEnded) stream.end()
    })
  }

  private sendTrailers(): void {
    try {
      this.stream.sendTrailers(this.trailers ?? {})
    } catch {
      this.stream.close(NGHTTP2_INTERNAL_ERROR)
    }
  }
}
