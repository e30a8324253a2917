// The connections of one proxy worker to one upstream server: made with a deadline, kept alive, and unref'd while idle.

import { Agent, type ClientRequest } from 'node:http'
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { UpstreamStart, UpstreamTarget } from '../upstream-start.ts'
import { CONNECT_TIMEOUT } from './failure.ts'

/** Idle connections to one server that are kept. */
const MAX_IDLE = 64
/** A connection this close to the end that its server has announced is not used again. */
const HINT_MARGIN_MS = 1000
/** A connection is not used again after this time, so that a server with a new address gets its requests there. */
const MAX_AGE_MS = 60_000

const madeAtKey = Symbol('switchyard.madeAt')
const hintKey = Symbol('switchyard.keepAliveHint')
const isIdle = Symbol('switchyard.idle')

interface UpstreamSocket extends Socket {
  [madeAtKey]?: number
  /** Of the last answer's `Keep-Alive: timeout`. */
  [hintKey]?: number
  [isIdle]?: boolean
}

export interface OpenOptions {
  readonly header?: Buffer | undefined
  readonly allowHalfOpen?: boolean
}

type Limits = Pick<UpstreamStart, 'connectTimeoutMs' | 'idleTimeoutMs' | 'ca'>

/** Node's agent for one server. It never queues: the bound is kept by the choice of the server. */
export class UpstreamConnections extends Agent {
  private readonly target: UpstreamTarget
  private readonly opened = new Set<Socket>()
  private readonly connectionOptions: Limits
  /** The last TLS session, for a shorter handshake. */
  private session: Buffer | undefined
  private closed = false

  constructor(target: UpstreamTarget, options: Limits) {
    super({ keepAlive: true, maxFreeSockets: MAX_IDLE, scheduling: 'lifo' })
    this.target = target
    this.connectionOptions = options
  }

  /**
   * Opens a connection. It is destroyed with an error if it is not ready in time. `header`: bytes to send before anything else. `allowHalfOpen`: as in
   * `net.connect`; without it a connection that its server has ended is not used again.
   */
  open({ header, allowHalfOpen = false }: OpenOptions = {}): Socket {
    const { protocol } = this.target
    const socket: UpstreamSocket = protocol === 'https' ? this.openSecure(header) : this.openPlain(header, allowHalfOpen)
    socket[madeAtKey] = performance.now()
    let isSettled = false
    const late = () => {
      if (!isSettled) socket.destroy(Object.assign(new Error('the connection took too long'), { code: CONNECT_TIMEOUT }))
    }
    // After a long turn of the event loop timers come before events of sockets, and the connection may have been made long since.
    const timer = setTimeout(() => setImmediate(late), this.connectionOptions.connectTimeoutMs)
    const settle = () => {
      isSettled = true
      clearTimeout(timer)
    }
    socket.once(protocol === 'https' ? 'secureConnect' : 'connect', settle)
    socket.once('close', settle)
    this.opened.add(socket)
    socket.once('close', () => this.opened.delete(socket))
    socket.on('timeout', endIdle)
    // Between two requests there is no other listener.
    socket.on('error', ignore)
    return socket
  }

  private openPlain(header: Buffer | undefined, allowHalfOpen: boolean): Socket {
    const { address, host, port, path } = this.target
    const options = path === undefined ? { host: address ?? host, port, noDelay: true } : { path }
    const socket = connectTcp({ ...options, allowHalfOpen } as TcpNetConnectOpts)
    if (header !== undefined) socket.write(header)
    return socket
  }

  private openSecure(header: Buffer | undefined): Socket {
    const { address, host, port } = this.target
    const servername = host === undefined || isIP(host) !== 0 ? '' : host
    const below = header && this.openPlain(header, false)
    const target = below === undefined ? { host: address ?? host, port } : { socket: below, host }
    const { session } = this
    const options = { ...target, servername, ca: this.connectionOptions.ca, ALPNProtocols: ['http/1.1'], session }
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

  override getName(): string {
    return ''
  }

  override createConnection(): Socket {
    return this.open()
  }

  override keepSocketAlive(stream: Duplex): boolean {
    const socket = stream as UpstreamSocket
    const hintMs = socket[hintKey] === undefined ? Number.POSITIVE_INFINITY : socket[hintKey] - HINT_MARGIN_MS
    const idleMs = Math.min(this.connectionOptions.idleTimeoutMs, hintMs)
    if (this.closed || idleMs <= 0 || performance.now() - (socket[madeAtKey] ?? 0) > MAX_AGE_MS) return false
    socket[isIdle] = true
    socket.setTimeout(idleMs)
    socket.unref()
    return true
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    ;(stream as UpstreamSocket)[isIdle] = false
    super.reuseSocket(stream, request)
  }

  /** Ends the idle connections. */
  forgetIdle(): void {
    for (const sockets of Object.values(this.freeSockets)) for (const socket of [...(sockets ?? [])]) socket.destroy()
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
}

/** The server has said how long it keeps this connection. */
export function recordKeepAlive(socket: UpstreamSocket, field: string | undefined): void {
  const [, seconds] = /timeout=(\d{1,6})/i.exec(field ?? '') ?? []
  if (seconds !== undefined) socket[hintKey] = Number(seconds) * 1000
}

function endIdle(this: UpstreamSocket): void {
  if (this[isIdle] === true) this.destroy()
}

function ignore(): void {}
