// A connection of HTTP/2 from this worker to another one, for the streams of one client. It is kept while the client's connection is open, and ends after a
// time without streams.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { Socket } from 'node:net'
import { connectUnobserved } from '../forward/unobserved.ts'

// Read before the app is loaded: an agent that replaces the function later means the app's own connections.
const connectHttp2 = connect

/** Never used: each request names its own. */
const AUTHORITY = 'http://worker'
/** What the other worker may send of one response, and of all together, before the client has taken it. */
const STREAM_WINDOW_BYTES = 2 ** 18
const SESSION_WINDOW_BYTES = 2 ** 20
/** The limits of the app's server and of its client have been applied, so these have to be larger. */
const MAX_HEADER_BYTES = 2 ** 20
const MAX_FIELDS = 4000
/** What the windows allow to be in memory must fit. */
const MEMORY_MB = 1024

export interface KeptConnectionOptions {
  readonly socketPath: string
  /** The line that says whose streams these are. */
  readonly line: string
  readonly idleTimeoutMs: number
  /** It takes no more streams. */
  readonly onEnd: () => void
}

export class KeptConnection {
  readonly socketPath: string
  /** What ended it; undefined: nothing did, or it ended in order. */
  error: Error | undefined
  /** Was the other worker there? */
  isConnected = false
  private readonly options: KeptConnectionOptions
  private readonly socket: Socket
  private session: ClientHttp2Session | undefined
  private ended = false
  private streams = 0
  private waiting: (() => void)[] = []

  constructor(options: KeptConnectionOptions) {
    this.options = options
    this.socketPath = options.socketPath
    this.socket = connectUnobserved(options.socketPath)
    this.socket.unref()
    this.socket.on('error', (error) => {
      this.error ??= error
    })
    this.socket.once('close', () => this.end())
    this.socket.once('connect', () => this.start())
  }

  /** Takes it new streams? */
  get isOpen(): boolean {
    return !this.ended && this.session?.closed !== true && this.session?.destroyed !== true
  }

  /** Has it broken, with the streams that were under way? */
  get isLost(): boolean {
    return this.socket.destroyed || this.session?.destroyed === true
  }

  get isIdle(): boolean {
    return this.streams === 0 && this.waiting.length === 0
  }

  /** Calls back when streams can begin, or never will: see `open`. */
  whenReady(callback: () => void): void {
    if (this.isConnected || this.ended) callback()
    else this.waiting.push(callback)
  }

  /** Begins a stream. Undefined: the connection has ended. Throws if Node refuses to write the fields. */
  open(fields: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream | undefined {
    const { session } = this
    if (session === undefined || !this.isOpen) return undefined
    const stream = session.request(fields, options)
    this.streams++
    stream.once('close', () => {
      this.streams--
      if (this.streams === 0 && !session.destroyed) session.setTimeout(this.options.idleTimeoutMs)
    })
    return stream
  }

  /** Lets the streams under way finish. */
  close(): void {
    if (this.session === undefined) this.socket.destroy()
    else if (!this.session.destroyed) this.session.close()
    this.end()
  }

  /** The client is gone. */
  destroy(): void {
    this.end()
    this.session?.destroy()
    this.socket.destroy()
  }

  private start(): void {
    if (this.ended) return void this.socket.destroy()
    const { line, idleTimeoutMs } = this.options
    this.isConnected = true
    this.socket.write(line, 'latin1')
    const session = connectHttp2(AUTHORITY, {
      createConnection: () => this.socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: MAX_HEADER_BYTES },
      maxSendHeaderBlockLength: MAX_HEADER_BYTES,
      maxHeaderListPairs: MAX_FIELDS,
      maxSessionMemory: MEMORY_MB,
    } as object)
    this.session = session
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    session.unref()
    session.on('error', (error) => {
      this.error ??= error
    })
    session.on('goaway', () => this.end())
    session.once('close', () => this.end())
    session.setTimeout(idleTimeoutMs)
    session.on('timeout', () => {
      if (this.isIdle) this.close()
    })
    this.callBack()
  }

  private end(): void {
    if (this.ended) return
    this.ended = true
    this.options.onEnd()
    this.callBack()
  }

  private callBack(): void {
    for (const callback of this.waiting.splice(0)) callback()
  }
}
