// Gives the TLS servers of this worker the tickets of its pool. In a worker without such a server nothing else is loaded.

import type { Socket } from 'node:net'
import { type TLSSocket, Server as TlsServer } from 'node:tls'
import { watchTicketKeys } from '@switchyard/handoff'
import type { ListenPlace, ServerAddress, TlsTicketStart } from '../listen-protocol.ts'
import type { Runtime } from '../runtime.ts'
import type { TlsTickets } from './tls-tickets.ts'

/** A route as far as it concerns tickets. */
export interface TicketRoute {
  readonly pool: string
  readonly ticket?: object | undefined
  readonly match: { readonly path?: unknown; readonly host?: unknown; readonly method?: unknown; readonly header?: unknown }
}

export class TicketLoader {
  private readonly runtime: Runtime
  private tickets: TlsTickets | undefined
  /** The newest keys. */
  private start: TlsTicketStart | undefined
  /** A server that listens again keeps what it has. */
  private readonly adopted = new WeakSet<object>()

  /** Create it before the app runs. */
  constructor(runtime: Runtime) {
    this.runtime = runtime
    watchTicketKeys()
    runtime.onMessage((message) => {
      if (message.switchyard !== 'tls-tickets') return
      this.start = message.start
      this.tickets?.update(message.start)
    })
  }

  /**
   * Call it for each server that gets connections. Resolves when the tickets of its pool are loaded, and a TLS server has them. Never rejects.
   */
  async adopt(server: object, { address, tlsTickets }: Pick<ListenPlace, 'address' | 'tlsTickets'>): Promise<void> {
    if (tlsTickets === undefined || this.adopted.has(server)) return
    this.adopted.add(server)
    this.start ??= tlsTickets
    const { TlsTickets } = await import('./tls-tickets.ts')
    const { pool, slot, routes } = this.runtime.start
    const own = routes.filter((route) => route.pool === pool && route.ticket !== undefined)
    this.tickets ??= new TlsTickets({ start: this.start, slot: own.some(isForHellos) ? slot : undefined, remembers: own.length > 0 })
    if (server instanceof TlsServer) this.tickets.adopt(server, placeText(address))
  }

  /** A server that ends TLS in front of the app's server, which `adopt` had before. `address`: of its listener. */
  adoptHidden(server: TlsServer, address: ServerAddress): void {
    this.tickets?.adopt(server, placeText(address))
    // Before the app gets the connection.
    server.prependListener('secureConnection', (socket: TLSSocket) => this.onSecured(socket))
  }

  /** Must `onHello` be called? */
  get readsHellos(): boolean {
    return this.tickets?.readsHellos === true
  }

  /** The first bytes of a connection whose ClientHello is complete. */
  onHello(socket: Socket, bytes: Uint8Array): void {
    this.tickets?.onHello(socket, bytes)
  }

  /** The handshake of a connection is complete. */
  onSecured(socket: TLSSocket): void {
    this.tickets?.onSecured(socket)
  }

  wantsHome(socket: Socket): boolean {
    return this.tickets?.wantsHome(socket as TLSSocket) === true
  }

  onHome(socket: Socket, slot: number, firm: boolean): void {
    const names = this.tickets?.namesToReport(socket as TLSSocket, slot, firm) ?? []
    if (names.length === 0) return
    this.runtime.send({ switchyard: 'tls-tickets', slot, firm, names: names.map((name) => name.toString('base64url')) })
  }
}

/** Can it be the route of a connection whose requests are not known yet? */
function isForHellos({ match }: TicketRoute): boolean {
  return match.path === undefined && match.host === undefined && match.method === undefined && match.header === undefined
}

function placeText({ host, port, path }: ListenPlace['address']): string {
  return path ?? `${host ?? ''} ${port}`
}
