// The connections of one proxy worker to one upstream server: made with a deadline, kept alive, and never a reason for the process to stay.

import { connect as connectTcp, isIP, type OnReadOpts, type Socket, type TcpNetConnectOpts } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { UpstreamStart, UpstreamTarget } from '../../upstream-start.ts'
import { CONNECT_TIMEOUT } from './failure.ts'
import { type ConnectionOwner, UpstreamConnection } from './upstream-connection.ts'

/** Idle connections to one server that are kept. */
const MAX_IDLE = 64
/** A connection this close to the end that its server has announced is not used again. */
const HINT_MARGIN_MS = 1000
/** A connection is not used again after this time, so that a server with a new address gets its requests there. */
const MAX_AGE_MS = 60_000
const READ_BYTES = 64 * 1024

/** What Node has read of a connection, until the call with it ends. Reads of different connections never overlap. */
let readBuffer: Buffer | undefined

export interface OpenOptions {
  /** Bytes to send before anything else. */
  readonly header?: Buffer | undefined
  /** As in `net.connect`; without it a connection that its server has ended is not used again. */
  readonly allowHalfOpen?: boolean
}

type Limits = Pick<UpstreamStart, 'connectTimeoutMs' | 'idleTimeoutMs' | 'responseTimeoutMs' | 'ca'>

/** It never queues: the bound is kept by the choice of the server. */
export class UpstreamConnections implements ConnectionOwner {
  private readonly target: UpstreamTarget
  private readonly opened = new Set<Socket>()
  private readonly limits: Limits
  /** The one used last is at the end. */
  private readonly idle: UpstreamConnection[] = []
  /** Ends idle connections whose time is over. */
  private sweep: NodeJS.Timeout | undefined
  /** The last TLS session, for a shorter handshake. */
  private session: Buffer | undefined
  private closed = false

  constructor(target: UpstreamTarget, options: Limits) {
    this.target = target
    this.limits = options
  }

  /** A connection for one request: one that is idle, or a new one. With a `header` always a new one, which serves no other request. */
  take(header: Buffer | undefined): UpstreamConnection {
    const now = performance.now()
    if (header === undefined) {
      for (let found = this.idle.pop(); found !== undefined; found = this.idle.pop()) {
        if (!found.socket.destroyed && now < found.idleUntilMs) return found
        found.destroy()
      }
    }
    return this.make(header, now)
  }

  keep(connection: UpstreamConnection): void {
    const { idle, limits } = this
    const now = performance.now()
    const idleMs = Math.min(limits.idleTimeoutMs, connection.hintMs - HINT_MARGIN_MS, connection.madeAtMs + MAX_AGE_MS - now)
    if (this.closed || idleMs <= 0 || idle.length >= MAX_IDLE) return connection.destroy()
    connection.idleUntilMs = now + idleMs
    idle.push(connection)
    if (this.sweep !== undefined) return
    this.sweep = setTimeout(() => this.endIdle(), idleMs)
    this.sweep.unref()
  }

  forget(connection: UpstreamConnection): void {
    const index = this.idle.indexOf(connection)
    if (index !== -1) this.idle.splice(index, 1)
  }

  /** Opens a connection. It is destroyed with an error if it is not ready in time. */
  open({ header, allowHalfOpen = false }: OpenOptions = {}): Socket {
    return this.connect(header, allowHalfOpen, undefined)
  }

  /** Ends the idle connections. */
  forgetIdle(): void {
    for (const connection of this.idle.splice(0)) connection.destroy()
  }

  /** No connection is kept from now on. */
  close(): void {
    this.closed = true
    this.forgetIdle()
  }

  /** Connections are kept again. */
  reopen(): void {
    this.closed = false
  }

  /** Connections that are open, in use or idle, upgraded ones included. */
  get openCount(): number {
    return this.opened.size
  }

  /** Ends every connection. */
  cut(): void {
    for (const socket of [...this.opened]) socket.destroy()
  }

  private make(header: Buffer | undefined, now: number): UpstreamConnection {
    const isSecure = this.target.protocol === 'https'
    readBuffer ??= Buffer.allocUnsafeSlow(READ_BYTES)
    const onread: OnReadOpts = {
      buffer: readBuffer,
      callback(bytes, buffer) {
        connection.receive((buffer as Buffer).subarray(0, bytes))
        return true
      },
    }
    // A TLS socket has no such option.
    const socket = this.connect(header, false, isSecure ? undefined : onread)
    const connection = new UpstreamConnection(socket, this, isSecure ? 'secureConnect' : 'connect', now)
    if (isSecure) socket.on('data', (bytes) => connection.receive(bytes))
    else socket.resume()
    socket.setTimeout(this.limits.responseTimeoutMs)
    // The client's connection keeps the process while its request is under way.
    socket.unref()
    return connection
  }

  private connect(header: Buffer | undefined, allowHalfOpen: boolean, onread: OnReadOpts | undefined): Socket {
    const isSecure = this.target.protocol === 'https'
    const socket = isSecure ? this.openSecure(header) : this.openPlain(header, allowHalfOpen, onread)
    let isSettled = false
    const late = () => {
      if (!isSettled) socket.destroy(Object.assign(new Error('the connection took too long'), { code: CONNECT_TIMEOUT }))
    }
    // After a long turn of the event loop timers come before events of sockets, and the connection may have been made long since.
    const timer = setTimeout(() => setImmediate(late), this.limits.connectTimeoutMs)
    const settle = () => {
      isSettled = true
      clearTimeout(timer)
    }
    socket.once(isSecure ? 'secureConnect' : 'connect', settle)
    socket.once('close', settle)
    this.opened.add(socket)
    socket.once('close', () => this.opened.delete(socket))
    // There may be no other listener.
    socket.on('error', ignore)
    return socket
  }

  private openPlain(header: Buffer | undefined, allowHalfOpen: boolean, onread?: OnReadOpts): Socket {
    const { address, host, port, path } = this.target
    const options = path === undefined ? { host: address ?? host, port, noDelay: true } : { path }
    const socket = connectTcp({ ...options, allowHalfOpen, ...(onread !== undefined && { onread }) } as TcpNetConnectOpts)
    if (header !== undefined) socket.write(header)
    return socket
  }

  private openSecure(header: Buffer | undefined): Socket {
    const { address, host, port } = this.target
    const servername = host === undefined || isIP(host) !== 0 ? '' : host
    const below = header && this.openPlain(header, false)
    const target = below === undefined ? { host: address ?? host, port } : { socket: below, host }
    const { session } = this
    const options = { ...target, servername, ca: this.limits.ca, ALPNProtocols: ['http/1.1'], session }
    const secure = connectTls(options as ConnectionOptions)
    secure.setNoDelay(true)
    secure.on('session', (next) => {
      this.session = next
    })
    // The socket below passes on neither its errors before the handshake nor the end.
    below?.on('error', (error) => secure.destroy(error))
    if (below !== undefined) secure.once('close', () => below.destroy())
    return secure
  }

  private endIdle(): void {
    this.sweep = undefined
    const now = performance.now()
    let nextMs = Number.POSITIVE_INFINITY
    for (const connection of [...this.idle]) {
      if (connection.idleUntilMs > now) nextMs = Math.min(nextMs, connection.idleUntilMs - now)
      else {
        this.forget(connection)
        connection.destroy()
      }
    }
    if (nextMs === Number.POSITIVE_INFINITY) return
    this.sweep = setTimeout(() => this.endIdle(), nextMs)
    this.sweep.unref()
  }
}

function ignore(): void {}
