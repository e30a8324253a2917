// The connections of one proxy worker to one upstream server: made with a deadline, kept alive, and unref'd while idle.

import { Agent, type ClientRequest } from 'node:http'
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { UpstreamAddress, UpstreamStart } from '../upstream-start.ts'
import { CONNECT_TIMEOUT } from './failure.ts'

/** Idle connections to one server that are kept. */
const MAX_IDLE = 64
/** A connection this close to the end that its server has announced is not used again. */
const HINT_MARGIN_MS = 1000
/** A connection is not used again after this time, so that a server with a new address gets its requests there. */
const MAX_AGE_MS = 60_000

const madeAtKey = Symbol('switchyard.madeAt')
const hintKey = Symbol('switchyard.keepAliveHint')

interface UpstreamSocket extends Socket {
  [madeAtKey]?: number
  /** Of the last answer's `Keep-Alive: timeout`. */
  [hintKey]?: number
}

type ConnectionOptions = Pick<UpstreamStart, 'connectTimeoutMs' | 'idleTimeoutMs' | 'ca'>

/** Node's agent for one server. It never queues: the bound is kept by the choice of the server. */
export class UpstreamConnections extends Agent {
  private readonly address: UpstreamAddress
  private readonly connectionOptions: ConnectionOptions
  /** The last TLS session, for a shorter handshake. */
  private session: Buffer | undefined
  private closed = false

  constructor(address: UpstreamAddress, options: ConnectionOptions) {
    super({ keepAlive: true, maxFreeSockets: MAX_IDLE, timeout: options.idleTimeoutMs, scheduling: 'lifo' })
    this.address = address
    this.connectionOptions = options
  }

  /** Opens a connection. It is destroyed with an error if it is not ready in time. `header`: bytes to send before anything else. */
  open(header?: Buffer): Socket {
    const { host, port, path, protocol } = this.address
    const { connectTimeoutMs, ca } = this.connectionOptions
    const options = path === undefined ? { host, port, noDelay: true } : { path }
    const tcp = connectTcp({ ...options, allowHalfOpen: true } as TcpNetConnectOpts)
    if (header !== undefined) tcp.write(header)
    let socket: UpstreamSocket = tcp
    if (protocol === 'https') {
      const servername = host === undefined || isIP(host) !== 0 ? '' : host
      const secure = connectTls({ socket: tcp, servername, host, ca, ALPNProtocols: ['http/1.1'], session: this.session })
      secure.on('session', (session) => {
        this.session = session
      })
      // A socket below TLS does not pass on its errors before the handshake.
      tcp.on('error', (error) => secure.destroy(error))
      socket = secure
    }
    socket[madeAtKey] = performance.now()
    const onLate = () => socket.destroy(Object.assign(new Error('the connection took too long'), { code: CONNECT_TIMEOUT }))
    const timer = setTimeout(onLate, connectTimeoutMs)
    const settle = () => clearTimeout(timer)
    socket.once(protocol === 'https' ? 'secureConnect' : 'connect', settle)
    socket.once('close', settle)
    // Between two requests there is no other listener.
    socket.on('error', ignore)
    return socket
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
    socket.setTimeout(idleMs)
    socket.unref()
    return true
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
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
}

/** The server has said how long it keeps this connection. */
export function recordKeepAlive(socket: UpstreamSocket, field: string | undefined): void {
  const [, seconds] = /timeout=(\d{1,6})/i.exec(field ?? '') ?? []
  if (seconds !== undefined) socket[hintKey] = Number(seconds) * 1000
}

function ignore(): void {}
