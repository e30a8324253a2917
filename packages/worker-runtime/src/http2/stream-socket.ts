// An in-process connection: to the app's server it is the connection of an HTTP/1.1 client. It carries the streams of one HTTP/2 session, one after
// the other, and says of the client what the session's connection says.

import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { setCarrier } from '@switchyard/handoff'

/** What reads and writes at the other end. */
export interface StreamEnd {
  /** Does the client accept more? */
  readonly accepts: boolean
  /** The app's server has written. `done` is called when more may be written. */
  onWrite(chunk: Buffer | string, encoding: BufferEncoding, done: () => void): void
  /** The app's server takes more. */
  onWantsMore(): void
  /** The app's server writes no more. */
  onFinish(): void
  onClose(): void
}

interface Written {
  chunk: Buffer | string
  encoding: BufferEncoding
}

type Done = (error?: Error | null) => void

export class StreamSocket extends Duplex {
  /** Undefined between two streams. */
  other: StreamEnd | undefined
  bytesRead = 0
  bytesWritten = 0
  timeout = 0
  readonly connecting = false
  readonly pending = false
  protected readonly carrier: Socket
  private timer: NodeJS.Timeout | undefined

  constructor(carrier: Socket) {
    super({ decodeStrings: false, allowHalfOpen: true })
    this.carrier = carrier
    setCarrier(this as unknown as Socket, carrier)
  }

  get remoteAddress(): string | undefined {
    return this.carrier.remoteAddress
  }
  get remotePort(): number | undefined {
    return this.carrier.remotePort
  }
  get remoteFamily(): string | undefined {
    return this.carrier.remoteFamily
  }
  get localAddress(): string | undefined {
    return this.carrier.localAddress
  }
  get localPort(): number | undefined {
    return this.carrier.localPort
  }
  get localFamily(): string | undefined {
    return this.carrier.localFamily
  }
  /** `h2` is the identifier over TLS, `h2c` the one without (RFC 7540 §3.1). */
  get alpnProtocol(): string {
    return 'h2c'
  }
  get readyState(): string {
    if (this.readable && this.writable) return 'open'
    return this.readable ? 'readOnly' : this.writable ? 'writeOnly' : 'closed'
  }

  address(): object {
    return this.carrier.address()
  }

  /** Bytes of the client, as HTTP/1.1. False: stop until `onWantsMore`. */
  deliver(bytes: Buffer): boolean {
    // Its parser may serve another connection already.
    if (this.destroyed) return false
    this.bytesRead += bytes.length
    this.timer?.refresh()
    if (this.readableFlowing !== true || this.readableLength > 0) return this.push(bytes)
    // As a stream in flowing mode does, at a fraction of the cost.
    this.emit('data', bytes)
    return this.readableFlowing
  }

  /** An idle in-process connection costs little and ends with its session: only one with a stream has a timeout. */
  setTimeout(timeoutMs: number, callback?: () => void): this {
    this.timeout = timeoutMs
    clearTimeout(this.timer)
    this.timer = undefined
    if (callback !== undefined) {
      if (timeoutMs > 0) this.once('timeout', callback)
      else this.off('timeout', callback)
    }
    if (timeoutMs > 0 && this.other !== undefined) this.timer = setTimeout(() => this.emit('timeout'), timeoutMs).unref()
    return this
  }

  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }

  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', this.destroy)
  }

  resetAndDestroy(): this {
    return this.destroy()
  }

  /** Called by the app's server when it takes more. */
  override resume(): this {
    super.resume()
    this.other?.onWantsMore()
    return this
  }

  /**
   * Most responses are one write, for which the queue of a stream costs more than the rest. Node corks its connections to join small writes. The other end joins
   * them by itself, so nothing waits for that.
   */
  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    const { other } = this
    const isPlain = typeof chunk === 'string' || chunk instanceof Uint8Array
    if (!isPlain || other?.accepts !== true || this.writableLength > 0 || !this.writable) {
      return Reflect.apply(super.write, this, [chunk, encoding, callback])
    }
    const done = typeof encoding === 'function' ? encoding : callback
    const named = typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8'
    this._write(chunk as Buffer | string, named, ignore)
    if (typeof done === 'function') process.nextTick(done as () => void)
    return true
  }

  override _read(): void {
    this.other?.onWantsMore()
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    this.bytesWritten += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length
    this.timer?.refresh()
    if (this.other === undefined) done()
    else this.other.onWrite(chunk, encoding, done)
  }

  override _writev(chunks: Written[], done: Done): void {
    const last = chunks.length - 1
    for (const [index, { chunk, encoding }] of chunks.entries()) this._write(chunk, encoding, index === last ? done : ignore)
  }

  override _final(done: Done): void {
    this.other?.onFinish()
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.timer)
    this.other?.onClose()
    done(error)
  }
}

/** Over TLS. */
export class SecureStreamSocket extends StreamSocket {
  readonly encrypted = true

  private get secure(): TLSSocket {
    return this.carrier as TLSSocket
  }

  get authorized(): boolean {
    return this.secure.authorized
  }
  get authorizationError(): Error {
    return this.secure.authorizationError
  }
  get servername(): string | false | undefined {
    return (this.secure as { servername?: string | false }).servername
  }
  override get alpnProtocol(): string {
    return 'h2'
  }
}

/** Methods that ask about the TLS connection. */
const QUESTIONS = [
  ...['getCertificate', 'getCipher', 'getEphemeralKeyInfo', 'getFinished', 'getPeerCertificate', 'getPeerFinished'],
  ...['getPeerX509Certificate', 'getProtocol', 'getSession', 'getSharedSigalgs', 'getTLSTicket', 'getX509Certificate'],
  ...['exportKeyingMaterial', 'isSessionReused'],
] as const

for (const name of QUESTIONS) {
  Object.defineProperty(SecureStreamSocket.prototype, name, {
    configurable: true,
    writable: true,
    value(this: { readonly carrier: Record<string, (...values: unknown[]) => unknown> }, ...values: unknown[]) {
      return this.carrier[name]?.(...values)
    },
  })
}

function ignore(): void {}
