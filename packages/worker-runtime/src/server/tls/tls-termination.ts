// Ends TLS in front of the app's plain server, in the worker. A hidden tls.Server, which never listens, makes the handshake; then the app's server gets
// the TLSSocket as its connection. To the app its server is one of Node's module 'https'.

import { Server as HttpServer } from 'node:http'
import type { Server, Socket } from 'node:net'
import { type TLSSocket, type TlsOptions, Server as TlsServer } from 'node:tls'
import { listenerOf } from '@switchyard/handoff'
import type { TlsChange, TlsListenerStart } from '../../tls-start.ts'
import { onFirstHello } from './first-hello.ts'
import { type Pair, TlsContexts } from './tls-contexts.ts'

/** As Node reports a client without a certificate. */
const NO_CERTIFICATE = 'UNABLE_TO_GET_ISSUER_CERT'

/** A server of the app. `announce` emits its 'connection' event. */
export interface PlainServer {
  readonly server: Server
  announce(socket: Socket): void
}

interface Listener {
  readonly start: TlsListenerStart
  readonly contexts: TlsContexts
  /** Grows when a certificate changes that a server has. */
  version: number
}

/** A hidden server between one listener and one server of the app: for all names, or for those of one certificate. */
interface Hidden {
  readonly server: TlsServer
  version: number
}

/** Of a socket of Node, which its types leave out. */
interface OwnedSocket {
  server: Server
  authorizationError: unknown
  authorized: boolean
}

export class TlsTermination {
  private readonly listeners: ReadonlyMap<number, Listener>
  private readonly hidden = new WeakMap<Server, Map<string, Hidden>>()
  /** Called with each hidden server, before it has a connection. */
  private readonly onServer: (server: TlsServer, listener: number) => void

  constructor(listeners: readonly TlsListenerStart[], onServer: (server: TlsServer, listener: number) => void = () => {}) {
    this.listeners = new Map(listeners.map((start) => [start.listener, { start, contexts: new TlsContexts(start), version: 0 }] as const))
    this.onServer = onServer
  }

  /** Does a connection with this tag begin with a handshake that ends here? */
  isFor(tag: number): boolean {
    return this.listeners.has(listenerOf(tag))
  }

  /** New handshakes use the changed certificates. Connections that are open stay as they are. */
  apply(change: TlsChange): void {
    const listener = this.listeners.get(change.listener)
    if (listener !== undefined && (listener.contexts.apply(change) || listener.contexts.isMixed)) listener.version++
  }

  /** Takes a connection that the app's server has counted and accepted. Its app learns of it when the handshake has succeeded. */
  accept(socket: Socket, tag: number, app: PlainServer): void {
    const listener = this.listeners.get(listenerOf(tag)) as Listener
    // As in a server of the module 'https': a client that ends its side during the handshake is gone.
    socket.allowHalfOpen = false
    const { contexts, start } = listener
    if (!contexts.isMixed) return void this.serverFor(listener, app, undefined).emit('connection', socket)
    onFirstHello(socket, start.handshakeTimeoutMs, (hello) => {
      this.serverFor(listener, app, contexts.choose(hello?.serverName)).emit('connection', socket)
    })
  }

  /** `pair`: the certificates of the server; undefined: it has those of all names. */
  private serverFor(listener: Listener, app: PlainServer, pair: Pair | undefined): TlsServer {
    const servers = this.hidden.get(app.server) ?? new Map<string, Hidden>()
    this.hidden.set(app.server, servers)
    const { start, contexts, version } = listener
    const key = [start.listener, ...(pair ?? []).map((entry) => entry?.id)].join(' ')
    const hidden = servers.get(key) ?? { server: this.open(listener, app, pair), version }
    servers.set(key, hidden)
    if (hidden.version !== version) {
      hidden.version = version
      hidden.server.setSecureContext(pair === undefined ? contexts.defaultOptions() : contexts.optionsOf(pair))
    }
    if (contexts.hasOcsp && hidden.server.listenerCount('OCSPRequest') === 0) {
      hidden.server.on('OCSPRequest', (certificate: Buffer, _issuer: Buffer, done) => done(null, contexts.ocspFor(certificate) as Buffer))
    }
    return hidden.server
  }

  private open({ start, contexts }: Listener, app: PlainServer, pair: Pair | undefined): TlsServer {
    const { mutual, handshakeTimeoutMs } = start
    const alpn = start.alpn ?? protocolsOf(app.server)
    const server = new TlsServer({
      ...(pair === undefined ? contexts.defaultOptions() : contexts.optionsOf(pair)),
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: mutual !== undefined,
      rejectUnauthorized: mutual?.required === true,
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
      ...(pair === undefined && { SNICallback: contextsByName(contexts) }),
    })
    server.on('secureConnection', (socket: TLSSocket) => {
      const owned = socket as unknown as OwnedSocket
      // Node takes a resumed session of TLS 1.3 without a certificate for an authorized one.
      if (mutual !== undefined && socket.getPeerX509Certificate() === undefined) {
        owned.authorized = false
        owned.authorizationError = NO_CERTIFICATE
      }
      owned.server = app.server
      app.announce(socket)
    })
    // Scanners and clients that trust another authority do this all the time.
    server.on('tlsClientError', (_error, socket) => void socket.destroy())
    this.onServer(server, start.listener)
    return server
  }
}

function contextsByName(contexts: TlsContexts): NonNullable<TlsOptions['SNICallback']> {
  return (servername, done) => {
    try {
      done(null, contexts.contextFor(servername))
    } catch (error) {
      done(error as Error)
    }
  }
}

/** The protocols of a server by ALPN. */
function protocolsOf(server: Server): readonly string[] {
  if (server instanceof HttpServer) return ['http/1.1']
  // Node does not export the class of HTTP/2 servers without TLS.
  return 'updateSettings' in server ? ['h2'] : []
}
