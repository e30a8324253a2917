// A connection that a primary without the native module holds: Node's socket, and the bytes that were read off it. Stops and resumes
// reading by private fields, because `pause()` alone loses bytes.

import type { Socket } from 'node:net'
import { newOwners, type Owners } from '../owners.ts'
import type { Handle } from './handle.ts'

/** A connection in the queue is read on up to here, to see when its client hangs up. */
const ENOUGH_BYTES = 16_384
const FIRST_BYTES = 2048
const NOTHING = Buffer.alloc(0)

interface ReadHandle extends Handle {
  reading: boolean
  readonly fd?: number
  readStop(): number
}

interface PrivateSocket {
  _handle: ReadHandle | null
  server: { _connections: number } | null
  _server: unknown
  _read?: () => void
}

/** Called when bytes have come, or the connection has ended or broken. */
export type HeldListener = (fd: number) => void

export class HeldSocket {
  /** A number that stands for the connection in the acceptor and the channels. */
  readonly fd: number
  /** Its descriptor; -1: unknown. */
  readonly descriptor: number
  /** The client sends no more. */
  ended = false
  /** The connection is broken or closed. */
  isBroken = false
  private readonly socket: Socket
  private readonly onEvent: HeldListener
  private buffer = NOTHING
  private length = 0
  private isAnswered = false
  private isDetached = false

  /** Nothing has been read from `socket`. */
  constructor(fd: number, socket: Socket, onNews: HeldListener) {
    this.fd = fd
    this.socket = socket
    this.onEvent = onNews
    const inner = this.inner
    this.descriptor = inner._handle?.fd ?? -1
    // Otherwise the server counts it and does not close before it is closed.
    if (inner.server !== null) inner.server._connections--
    inner.server = null
    inner._server = null
    socket.on('data', this.onData)
    socket.once('end', () => {
      this.ended = true
      this.notify()
    })
    socket.on('error', () => this.onBroken())
    socket.once('close', () => this.onBroken())
  }

  private get inner(): PrivateSocket {
    return this.socket as unknown as PrivateSocket
  }

  /** All bytes that were read. Valid until more are read. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  /** Removes the first bytes of those that were read. */
  removeFirst(count: number): void {
    this.buffer.copyWithin(0, count, this.length)
    this.length -= count
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress
  }

  /** Reads on up to ENOUGH_BYTES, to see when the client hangs up. */
  watch(): void {
    if (this.length < ENOUGH_BYTES) this.read()
  }

  /** Reads, until `stop()` or until enough has come. */
  read(): void {
    const { _handle: handle } = this.inner
    if (handle === null || this.isBroken || this.ended || this.isDetached) return
    delete this.inner._read
    if (!handle.reading) {
      handle.reading = true
      if (handle.readStart() !== 0) this.socket.destroy()
    }
    this.socket.resume()
  }

  /** From now on this process reads no byte. */
  stop(): void {
    const { _handle: handle } = this.inner
    // First, because the stream itself asks for more.
    this.inner._read = () => {}
    this.socket.pause()
    if (handle === null) return
    handle.readStop()
    handle.reading = false
  }

  /**
   * Stops reading and returns the handle to send to another process; undefined: the connection is broken. It stays open here and is not
   * read before `reattach()`.
   */
  detachHandle(): Handle | undefined {
    this.isDetached = true
    this.stop()
    return this.isBroken ? undefined : (this.inner._handle ?? undefined)
  }

  /** No other process has read from the connection: this one may. */
  reattach(): void {
    this.isDetached = false
  }

  /**
   * Sends a last answer and discards what comes until the client closes. Unread bytes would reset the connection before the client reads
   * the answer.
   */
  answer(bytes: Buffer): void {
    this.isAnswered = true
    this.reattach()
    this.read()
    this.socket.end(bytes)
  }

  /** Closes this process's copy. The connection goes on if a worker has another one. */
  close(): void {
    this.isAnswered = true
    this.socket.destroy()
  }

  private readonly onData = (bytes: Buffer): void => {
    if (this.isAnswered) return
    const length = this.length + bytes.length
    if (length > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, length, this.buffer.length * 2))
      this.buffer.copy(larger, 0, 0, this.length)
      this.buffer = larger
    }
    bytes.copy(this.buffer, this.length)
    this.length = length
    if (length >= ENOUGH_BYTES) this.stop()
    this.notify()
  }

  private onBroken(): void {
    if (this.isBroken) return
    this.isBroken = true
    this.onEvent(this.fd)
  }

  private notify(): void {
    if (!this.isAnswered) this.onEvent(this.fd)
  }
}

/** Every connection that the primary holds, by number. */
export class HeldSockets {
  readonly owners: Owners | undefined = newOwners()
  private readonly sockets = new Map<number, HeldSocket>()
  private last = 0

  get size(): number {
    return this.sockets.size
  }

  add(socket: Socket, onNews: HeldListener): HeldSocket {
    this.last++
    const held = new HeldSocket(this.last, socket, onNews)
    this.sockets.set(held.fd, held)
    return held
  }

  get(fd: number): HeldSocket | undefined {
    return this.sockets.get(fd)
  }

  /** Closes this process's copy. */
  close(fd: number): void {
    this.sockets.get(fd)?.close()
    this.sockets.delete(fd)
  }
}
