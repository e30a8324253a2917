// One connection of a client whose HTTP/2 ends in this worker: its streams, its limits, and its end.

import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { holdReads, responseOn } from '@switchyard/handoff'
import type { CutReason } from '../cut-messages.ts'
import type { Http2ListenerStart } from '../http2-start.ts'
import { announceGoaway } from '../server/goaway-notice.ts'
import { closeSession } from '../server/http2-sessions.ts'
import { ControlBytes } from './control-bytes.ts'
import { cutReasonOf } from './cut-reason.ts'
import { HeldStream } from './held-stream.ts'
import type { Http2Counts } from './http2-counts.ts'
import { readRequestHead } from './request-head.ts'
import { ResetRate } from './reset-rate.ts'
import { endExchange, resetIfStalled, StreamExchange, type StreamExchangeOptions } from './stream-exchange.ts'
import { SecureStreamSocket, StreamSocket } from './stream-socket.ts'
import type { StreamStarts } from './stream-starts.ts'

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM, NGHTTP2_PROTOCOL_ERROR } = constants

/** In-process connections without a stream that a session keeps for its next ones. */
const MAX_IDLE = 32

/** How long a connection over TLS that is to end waits for the next streams, without any and with some under way. */
const QUIET_MS = 300
const BUSY_MS = 1000
/** How long an idle client may take to read the announcement of the end. */
const IDLE_ANSWER_MS = 1000

/** Gives a connection to the app's server. */
export type Announce = (socket: Socket) => void

/** The head of a stream as Node gives it. */
export interface StreamHead {
  readonly parsed: IncomingHttpHeaders
  readonly flags: number
  /** Names and values in turn. */
  readonly raw: readonly string[]
}

/** Decides where a stream is served. `begin` gives it to the app here; `onReset` is called if another worker serves it and the client resets it. */
export type SteerStream = (stream: ServerHttp2Stream, head: StreamHead, begin: () => void, connection: Socket, onReset?: () => void) => void

export interface SessionOptions {
  readonly start: Http2ListenerStart
  readonly announce: Announce
  /** Undefined: every stream stays. */
  readonly steer: SteerStream | undefined
  /** Of all connections. */
  readonly starts: StreamStarts
  readonly counts: Http2Counts
  /** The connection is cut because the client has exceeded a limit. */
  readonly onCut: (reason: CutReason) => void
}

export class Session {
  private readonly session: ServerHttp2Session
  private readonly connection: Socket
  private readonly options: SessionOptions
  private readonly isSecure: boolean
  private readonly idle: StreamSocket[] = []
  private readonly exchange: StreamExchangeOptions
  private readonly resets: ResetRate
  private readonly control: ControlBytes
  /** Of requests, from the begin of the connection. */
  private begun = 0
  private body = 0
  private chunks = 0
  private nextPollMs: number
  private readonly streams = new Set<ServerHttp2Stream>()
  /** Those that wait to begin. */
  private readonly waiting = new Set<ServerHttp2Stream>()
  /** Those that were open at the last poll. */
  private readonly old = new WeakSet<ServerHttp2Stream>()
  private idleSinceMs = performance.now()
  private isClosing = false
  /** Has the client reset a stream in this turn of the event loop? Then it may reset the next ones too, and they begin in the next turn. */
  private isHasty = false
  private isCut = false
  /** Is the connection not read at the moment? */
  private isHeld = false
  /** Over TLS. */
  private closing: NodeJS.Timeout | undefined
  /** Streams that begin when GOAWAY is sent. */
  private readonly held: (() => void)[] = []

  constructor(session: ServerHttp2Session, connection: Socket, options: SessionOptions) {
    const { start, counts } = options
    this.session = session
    this.connection = connection
    this.options = options
    this.isSecure = (connection as { readonly encrypted?: boolean }).encrypted === true
    this.exchange = {
      sendTimeoutMs: start.sendTimeoutMs,
      onReset: () => this.countReset(true),
      onFree: (socket, isKept) => this.free(socket, isKept),
      onStalled: () => counts.end('stalled'),
    }
    this.resets = new ResetRate(start)
    this.control = new ControlBytes(start.maxControlBytesPerSecond, this.idleSinceMs)
    this.nextPollMs = this.idleSinceMs + this.pollMs
    const closed = (stream: ServerHttp2Stream) => this.onStreamClose(stream)
    // One function for all streams.
    const onClose = function (this: ServerHttp2Stream): void {
      closed(this)
    }
    session.on('stream', (stream: ServerHttp2Stream, parsed, flags, raw?: string[]) => {
      this.onStream(stream, { parsed, flags, raw: raw ?? [] }, onClose)
    })
    session.on('error', (error: NodeJS.ErrnoException) => this.onError(error))
    session.once('close', () => {
      clearTimeout(this.closing)
      for (const socket of this.idle.splice(0)) socket.destroy()
    })
  }

  /** Ends a connection without streams. False: it has some, or ends already. */
  endIfIdle(): boolean {
    if (this.streams.size > 0 || this.isClosing || this.session.closed) return false
    this.isClosing = true
    this.options.counts.end('crowded')
    this.session.close()
    return true
  }

  /**
   * Ends the connection behind its streams. A client without TLS is told before, so that it begins no stream that would be refused. Over TLS, GOAWAY is sent
   * when the next streams have come, before their responses: at that moment the client probably sends no more.
   */
  close(why: 'drain' | 'idle', answerMs: number): void {
    if (this.isClosing || this.session.closed) return
    this.isClosing = true
    this.options.counts.end(why)
    if (announceGoaway(this.session, { connection: this.connection, answerMs, onRead: this.closeNow })) return
    // Streams that came while the loop was blocked are read before the immediate.
    this.closing = setTimeout(() => setImmediate(this.closeNow), this.streams.size === 0 ? QUIET_MS : BUSY_MS).unref()
  }

  private readonly closeNow = (): void => {
    if (!this.session.destroyed && !this.session.closed) closeSession(this.session, this.connection)
    for (const begin of this.held.splice(0)) begin()
  }

  private onStream(stream: ServerHttp2Stream, head: StreamHead, onClose: (this: ServerHttp2Stream) => void): void {
    // Reset in the same read of the connection.
    this.begun++
    if (stream.destroyed || stream.closed) return this.countReset(false)
    this.streams.add(stream)
    if ((head.flags & NGHTTP2_FLAG_END_STREAM) === 0) this.countBody(stream)
    stream.on('close', onClose)
    stream.on('error', ignore)
    // Node gives each stream of one read of the connection to this function before it reads the next one.
    if (this.closing === undefined || this.session.closed) {
      if (!this.options.starts.isFull && !this.isHasty) return this.options.starts.run(() => this.begin(stream, head))
      this.holdReads()
      return this.options.starts.add(this, this.hold(stream, head))
    }
    if (this.held.length === 0) setImmediate(this.closeNow)
    this.held.push(this.hold(stream, head))
  }

  /** Until the next turn. Without it libuv reads up to 2 MiB of one connection in a turn. */
  private holdReads(): void {
    if (this.isHeld) return
    this.isHeld = true
    const goOn = holdReads(this.connection)
    setImmediate(() => {
      this.isHeld = false
      goOn()
    })
  }

  private hold(stream: ServerHttp2Stream, head: StreamHead): () => void {
    const held = new HeldStream(stream, () => this.begin(stream, head))
    this.waiting.add(stream)
    return () => {
      this.waiting.delete(stream)
      held.give()
    }
  }

  private begin(stream: ServerHttp2Stream, received: StreamHead): void {
    if (stream.destroyed || stream.closed) return
    const head = readRequestHead(received.raw, (received.flags & NGHTTP2_FLAG_END_STREAM) !== 0)
    if (typeof head === 'object') {
      const { exchange } = this
      const { steer } = this.options
      const serve = (): void => new StreamExchange(stream, this.takeSocket(), head, exchange).begin()
      return steer === undefined ? serve() : steer(stream, received, serve, this.connection, exchange.onReset)
    }
    if (head === 'malformed') {
      stream.close(NGHTTP2_PROTOCOL_ERROR)
      this.options.counts.end('malformed')
      return this.countReset(true)
    }
    stream.respond({ ':status': head, 'content-length': 0 }, { endStream: true })
    stream.resume()
  }

  private onStreamClose(stream: ServerHttp2Stream): void {
    endExchange(stream)
    if (this.waiting.delete(stream)) this.countReset(false)
    this.streams.delete(stream)
    if (this.streams.size === 0) this.idleSinceMs = performance.now()
  }

  /** Node pushes each piece of a body as it comes. The app here reads it, or another worker. */
  private countBody(stream: ServerHttp2Stream): void {
    const { push } = stream
    stream.push = (piece: Buffer | null, encoding?: BufferEncoding) => {
      if (piece !== null) {
        this.body += piece.length
        this.chunks++
      }
      return push.call(stream, piece, encoding)
    }
  }

  /** `hasBegun`: the app had the stream. */
  private countReset(hasBegun: boolean): void {
    if (!this.isHasty) {
      this.isHasty = true
      setImmediate(this.calm)
    }
    if (this.session.destroyed || !this.resets.isTooHigh(hasBegun, performance.now())) return
    this.cut('resets')
    this.session.destroy(new Error('the client exceeded a limit: resets'), NGHTTP2_ENHANCE_YOUR_CALM)
  }

  private readonly calm = (): void => {
    this.isHasty = false
  }

  private cut(reason: CutReason): void {
    if (this.isCut) return
    this.isCut = true
    this.options.counts.end(reason)
    this.options.onCut(reason)
  }

  /** Node ends a connection at limits of its own. */
  private onError(error: NodeJS.ErrnoException): void {
    const reason = cutReasonOf(error)
    if (reason !== undefined) this.cut(reason)
  }

  private takeSocket(): StreamSocket {
    for (let socket = this.idle.pop(); socket !== undefined; socket = this.idle.pop()) {
      if (socket.writable && responseOn(socket as unknown as Socket) === undefined) return socket
      if (!socket.destroyed) socket.destroySoon()
    }
    const socket = this.isSecure ? new SecureStreamSocket(this.connection) : new StreamSocket(this.connection)
    socket.on('error', ignore)
    this.options.announce(socket as unknown as Socket)
    return socket
  }

  private free(socket: StreamSocket, isKept: boolean): void {
    if (isKept && this.idle.length < MAX_IDLE && !this.session.closed) this.idle.push(socket)
    // The app's server is in its last write. An end at this moment would look to it like a client that hangs up.
    else setImmediate(() => socket.destroySoon())
  }

  private get pollMs(): number {
    return Math.min(this.options.start.idleTimeoutMs, this.options.start.sendTimeoutMs)
  }

  poll(nowMs: number): void {
    const { connection, session, streams, old, begun, body, chunks } = this
    const { start } = this.options
    if (session.destroyed) return
    const bytes = { read: connection.bytesRead, written: connection.bytesWritten, streams: begun, body, chunks }
    if (this.control.isTooHigh(bytes, nowMs)) {
      this.cut('control-bytes')
      return session.destroy(new Error('the client exceeded a limit: control-bytes'), NGHTTP2_ENHANCE_YOUR_CALM)
    }
    if (nowMs < this.nextPollMs) return
    this.nextPollMs = nowMs + this.pollMs
    if (streams.size === 0 && nowMs - this.idleSinceMs >= start.idleTimeoutMs) return this.close('idle', IDLE_ANSWER_MS)
    for (const stream of streams) {
      // Its response is written, and the client has not accepted all of it.
      if (old.has(stream) && stream.writableEnded && stream.listenerCount('timeout') === 0)
        resetIfStalled(stream, start.sendTimeoutMs, this.exchange.onStalled)
      old.add(stream)
    }
  }
}

function ignore(): void {}
