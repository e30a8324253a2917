// Sends the body of a forwarded stream to the other worker. The beginning is kept until the answer begins, so that it can be sent again.

import type { ClientHttp2Stream, ServerHttp2Stream } from 'node:http2'

/** A longer body can be sent once only. */
const MAX_KEPT_BYTES = 64 * 1024

export class RequestBody {
  private readonly stream: ServerHttp2Stream
  private upstream: ClientHttp2Stream | undefined
  private kept: Buffer[] | undefined = []
  private keptBytes = 0
  private isReading = false
  /** Has the client sent all of it? */
  hasEnded = false

  constructor(stream: ServerHttp2Stream) {
    this.stream = stream
  }

  /** Nothing has been read, so the app can still have the stream. */
  get isUntouched(): boolean {
    return !this.isReading
  }

  get isRepeatable(): boolean {
    return this.kept !== undefined
  }

  /** Sends it from the start. */
  sendTo(upstream: ClientHttp2Stream): void {
    const { stream, kept = [] } = this
    this.upstream = upstream
    for (const chunk of kept) upstream.write(chunk)
    // An empty body ends before anything reads it.
    this.hasEnded ||= stream.readableEnded
    if (this.hasEnded) return void upstream.end()
    if (!this.isReading) {
      this.isReading = true
      stream.on('data', this.onData)
      stream.on('end', this.onEnd)
    } else stream.resume()
  }

  /** The other worker was lost: the rest waits for the next one. */
  pause(): void {
    this.upstream = undefined
    if (this.isReading) this.stream.pause()
  }

  /** The answer has begun: nothing is sent again. */
  forget(): void {
    this.kept = undefined
  }

  /** No worker wants the rest. */
  discard(): void {
    this.forget()
    this.upstream = undefined
    this.stream.off('data', this.onData)
    this.stream.off('end', this.onEnd)
    if (!this.stream.destroyed) this.stream.resume()
  }

  private readonly onData = (chunk: Buffer): void => {
    const { upstream, kept } = this
    if (kept !== undefined) {
      this.keptBytes += chunk.length
      if (this.keptBytes > MAX_KEPT_BYTES) this.kept = undefined
      else kept.push(chunk)
    }
    if (upstream === undefined || upstream.destroyed || upstream.writableEnded) return
    if (upstream.write(chunk)) return
    this.stream.pause()
    upstream.once('drain', this.onDrain)
  }

  private readonly onDrain = (): void => {
    if (this.upstream !== undefined) this.stream.resume()
  }

  private readonly onEnd = (): void => {
    this.hasEnded = true
    this.upstream?.end()
  }
}
