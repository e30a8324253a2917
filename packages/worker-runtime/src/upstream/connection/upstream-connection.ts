// One connection to an upstream server. It serves one request at a time, and is kept for the next one only if nothing about the last one was odd.

import type { Socket } from 'node:net'
import { AnswerReader, type AnswerSink } from './answer-reader.ts'
import { BAD_ANSWER } from './failure.ts'

/** Of `Keep-Alive`, in seconds. */
const TIMEOUT = /timeout=(\d{1,6})/i

/** The request that has the connection. */
export interface ConnectionUser extends AnswerSink {
  /** Has all of the request been sent, so that the connection can serve another one? */
  readonly isSent: boolean
  /** The request can be sent now. */
  onConnect(): void
  /** All that came at once has been passed on, and the answer goes on. */
  onRead(): void
  /** The answer is complete. */
  onEnd(trailers: readonly string[]): void
  /** The connection accepts more. */
  onDrain(): void
  /** Nothing was read or written for the time that an answer may take. */
  onSilence(): void
  /** The connection has closed before the end of the answer. */
  onLost(error: Error | undefined): void
}

/** Where a connection goes when its request is complete. */
export interface ConnectionOwner {
  /** The connection may serve another request. */
  keep(connection: UpstreamConnection): void
  /** The connection has closed while it was idle. */
  forget(connection: UpstreamConnection): void
}

export class UpstreamConnection {
  readonly socket: Socket
  readonly madeAtMs: number
  /** While it is idle: when its time is over. */
  idleUntilMs = 0
  /** Has it served a request before this one? */
  isReused = false
  /** Has a byte of an answer to its request come? */
  hasAnswered = false
  /** Of the last answer's `Keep-Alive: timeout`, in milliseconds. */
  hintMs = Number.POSITIVE_INFINITY
  /** Is it not read because the client is slow? */
  isPaused = false
  private readonly owner: ConnectionOwner
  private readonly reader = new AnswerReader()
  private isConnected = false
  private user: ConnectionUser | undefined
  private error: Error | undefined

  /** `readyEvent`: of a socket that is ready for a request. */
  constructor(socket: Socket, owner: ConnectionOwner, readyEvent: 'connect' | 'secureConnect', madeAtMs: number) {
    this.socket = socket
    this.owner = owner
    this.madeAtMs = madeAtMs
    socket.once(readyEvent, () => {
      this.isConnected = true
      this.user?.onConnect()
    })
    socket.on('drain', () => this.user?.onDrain())
    socket.on('timeout', () => this.user?.onSilence())
    socket.on('error', (error) => {
      this.error ??= error
    })
    socket.on('end', () => this.onServerEnd())
    socket.on('close', () => this.onClose())
  }

  /** Gives the connection to a request: `onConnect` is called now or later. `isHead`: its method is HEAD. */
  begin(user: ConnectionUser, isHead: boolean): void {
    this.user = user
    this.hasAnswered = false
    this.reader.begin(user, isHead)
    if (this.isConnected) user.onConnect()
  }

  /** Bytes of the server. They may be overwritten after the call. */
  receive(bytes: Buffer): void {
    const { user, reader, socket } = this
    // An idle connection owes nothing.
    if (user === undefined) return void socket.destroy()
    this.hasAnswered = true
    reader.read(bytes)
    if (this.user !== user || socket.destroyed) return
    if (reader.isFaulty) this.destroy(Object.assign(new Error('no HTTP/1 answer'), { code: BAD_ANSWER }))
    else if (reader.isOver) this.complete(user)
    else user.onRead()
  }

  /** The server has said how long it keeps the connection. */
  recordKeepAlive(field: string | undefined): void {
    if (field === undefined) return
    const [, seconds] = TIMEOUT.exec(field) ?? []
    if (seconds !== undefined) this.hintMs = Number(seconds) * 1000
  }

  /** The client is slow. */
  pause(): void {
    this.isPaused = true
    this.socket.pause()
  }

  resume(): void {
    this.isPaused = false
    this.socket.resume()
  }

  /** Ends the connection. Its request, if it has one, hears of it by `onLost`. */
  destroy(error?: Error): void {
    this.error ??= error
    this.socket.destroy()
  }

  /** Ends the connection of a request that needs no answer any more. */
  abandon(): void {
    this.user = undefined
    this.socket.destroy()
  }

  private complete(user: ConnectionUser): void {
    const { reader, socket } = this
    this.user = undefined
    const isFree = user.isSent && reader.keepsAlive && !socket.destroyed
    if (isFree) {
      this.isReused = true
      if (this.isPaused) this.resume()
      this.owner.keep(this)
    } else socket.destroy()
    // Last, because a request that waits for its end can use the connection at once.
    user.onEnd(reader.trailers)
  }

  private onServerEnd(): void {
    const { user, error } = this
    if (user !== undefined && error === undefined && this.reader.end()) this.complete(user)
    else this.socket.destroy()
  }

  private onClose(): void {
    const { user } = this
    this.user = undefined
    if (user === undefined) this.owner.forget(this)
    else user.onLost(this.error)
  }
}
