// A stream of a client that the app does not have yet. Nothing is lost meanwhile: its body waits, and trailers that come are repeated for the app. So is the
// end of an empty body, which Node announces although nothing has read it.

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'

/** Trailers as Node gives them. */
export interface Trailers {
  readonly parsed: IncomingHttpHeaders
  readonly flags: number
  readonly raw: readonly string[]
}

export class HeldStream {
  readonly stream: ServerHttp2Stream
  trailers: Trailers | undefined
  private readonly begin: () => void

  /** `begin`: gives the stream to the app. */
  constructor(stream: ServerHttp2Stream, begin: () => void) {
    this.stream = stream
    this.begin = begin
    stream.on('trailers', this.onTrailers)
    stream.on('error', ignore)
  }

  /** Has the client reset it, or gone? */
  get isGone(): boolean {
    return this.stream.destroyed || this.stream.closed
  }

  /** Gives the stream to the app, unless its client has reset it. */
  give(): void {
    const { stream, trailers } = this
    stream.off('trailers', this.onTrailers)
    if (this.isGone) return
    stream.off('error', ignore)
    const { readableEnded } = stream
    this.begin()
    if (trailers !== undefined) stream.emit('trailers', trailers.parsed, trailers.flags, trailers.raw)
    if (readableEnded) stream.emit('end')
  }

  private readonly onTrailers = (parsed: IncomingHttpHeaders, flags: number, raw: readonly string[] = []): void => {
    this.trailers = { parsed, flags, raw }
  }
}

function ignore(): void {}
