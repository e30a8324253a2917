// A connection in the hands of a primary without the native module: Node's own socket, and the bytes that were read off it. The only file that knows
// how Node is kept from reading on: `pause()` alone loses bytes.

import type { Socket } from 'node:net'
import { newOwners, type Owners } from '../owners.ts'
import type { Handle } from './handle.ts'

/** One who waits for a worker is read on, so that it is seen when its client leaves; up to here. */
const ENOUGH_BYTES = 16_384
const FIRST_BYTES = 2048

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

/** Is told when something has come, or nothing will any more. */
export type HeldListener = (fd: number) => void

export class HeldSocket {
  /** By this name door and channels know it. */
  readonly fd: number
  /** The number of its descriptor; -1 where there is none to be seen. */
  readonly descriptor: number
  /** The client will send no more. */
  ended = false
  /** It is broken or closed. */
  gone = false
  private readonly socket: Socket
  private readonly onEvent: HeldListener
  private buffer = NOTHING
  private length = 0
  private isAnswered = false
  private isDetached = false

  /** `socket` has not been read from. */
  constructor(fd: number, socket: Socket, onNews: HeldListener) {
    this.fd = fd
    this.socket = socket
    this.onEvent = onNews
    const inner = this.inner
    this.descriptor = inner._handle?.fd ?? -1
    // The server would count it, and not close before this is closed.
    if (inner.server !== null) inner.server._connections--
    inner.server = null
    inner._server = null
    socket.on('data', this.onData)
    socket.once('end', () => {
      this.ended = true
      this.notify()
    })
    socket.on('error', () => this.onGone())
    socket.once('close', () => this.onGone())
  }

  private get inner(): PrivateSocket {
    return this.socket as unknown as PrivateSocket
  }

  /** Everything that the client has sent and that was read. Valid until more is read. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress
  }

  /** Reads on if it does not cost much, to see when the client leaves. */
  watch(): void {
    if (this.length < ENOUGH_BYTES) this.read()
  }

  /** Reads, until `stop()` or until enough has come. */
  read(): void {
    const { _handle: handle } = this.inner
    if (handle === null || this.gone || this.ended || this.isDetached) return
    delete this.inner._read
    if (!handle.reading) {
      handle.reading = true
      if (handle.readStart() !== 0) this.socket.destroy()
    }
    this.socket.resume()
  }

  /** From now on no byte leaves the kernel here. */
  stop(): void {
    const { _handle: handle } = this.inner
    // First, for the stream asks for more by itself.
    this.inner._read = () => {}
    this.socket.pause()
    if (handle === null) return
    handle.readStop()
    handle.reading = false
  }

  /** Stops reading and gives what can be passed to another process; undefined when it is gone. The connection stays open here too, and is not read before it is `retaken`. */
  detachHandle(): Handle | undefined {
    this.isDetached = true
    this.stop()
    return this.gone ? undefined : (this.inner._handle ?? undefined)
  }

  /** Nobody else has it, or nobody who has read from it. */
  reattach(): void {
    this.isDetached = false
  }

  /** Sends a last answer and reads into the void until the client has closed: else what it sends on would make its system throw the answer away. */
  answer(bytes: Buffer): void {
    this.isAnswered = true
    this.reattach()
    this.read()
    this.socket.end(bytes)
  }

  /** Closes this process's copy; a connection that has another one in a worker is not ended by it. */
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

  private onGone(): void {
    if (this.gone) return
    this.gone = true
    this.onEvent(this.fd)
  }

  private notify(): void {
    if (!this.isAnswered) this.onEvent(this.fd)
  }
}

const NOTHING = Buffer.alloc(0)

/** All that the primary holds, by their names. */
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

  /** Closes it here; whoever has another copy has it alone now. */
  close(fd: number): void {
    this.sockets.get(fd)?.close()
    this.sockets.delete(fd)
  }
}
