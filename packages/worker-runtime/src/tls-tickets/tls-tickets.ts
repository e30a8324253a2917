// The TLS session tickets of this worker. All workers of a pool have the same keys, so each of them can resume the session of any client. The name of a
// ticket names the slot where it was issued, if routes are sticky by ticket: the primary reads it in the ClientHello of the client's next
// connection.

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Server, TLSSocket } from 'node:tls'
import { setFixedTicketKeys, socketUnder, useTicketKeys } from '@switchyard/handoff'
import { NAME_NONCE_BYTES, readClientHello, TlsTicketNames } from '@switchyard/routing'
import type { TlsTicketStart } from '../listen-protocol.ts'
import { ServerTicketKeys } from './server-ticket-keys.ts'

const NO_NONCE = Buffer.alloc(NAME_NONCE_BYTES)
/** Tickets that a server sends after a handshake of TLS 1.3: a full one, and one that resumes a session. */
const FULL_TICKETS = 2
const RESUMED_TICKETS = 1
/** Requests of a connection that are asked where they belong. */
const MAX_ASKS = 4

export interface TlsTicketOptions {
  readonly start: TlsTicketStart
  /** The slot in the names of tickets; undefined: they have none. */
  readonly slot: number | undefined
  /** The tickets of each connection are remembered, for `namesToReport`. */
  readonly remembers: boolean
}

/** The tickets that a connection got, and what the primary knows of them. */
interface ConnectionTickets {
  readonly issued: Buffer[]
  /** Requests whose home can still be asked for. */
  asks: number
  /** What was reported last. */
  slot: number | undefined
  firm: boolean
}

export class TlsTickets {
  private readonly options: TlsTicketOptions
  private start: TlsTicketStart
  private readonly names: TlsTicketNames
  /** Of each server, what gives it the current keys. */
  private readonly renewals: ((start: TlsTicketStart) => void)[] = []
  /** By the socket under that of TLS: the tickets that a connection has presented. */
  private readonly presented = new WeakMap<Socket, readonly Buffer[]>()
  private readonly connections = new WeakMap<TLSSocket, ConnectionTickets>()
  // Node does not say for which connection it issues a ticket. But it calls back in one order: TLS 1.2 issues its ticket and then the handshake is complete; in
  // TLS 1.3 the handshake is complete and then it issues its tickets. Either happens in one call, before another connection has its turn.
  private early: Buffer | undefined
  private late: Buffer[] | undefined
  private lateLeft = 0
  private endsTurn = false

  constructor(options: TlsTicketOptions) {
    this.options = options
    this.start = options.start
    this.names = new TlsTicketNames(Buffer.from(options.start.names, 'base64'))
  }

  /** Must `onHello` be called? */
  get readsHellos(): boolean {
    return this.options.remembers
  }

  /** The server has these tickets from now on, unless its app sets keys of its own. `place`: the address that its clients connect to. */
  adopt(server: Server, place: string): void {
    const keys = new ServerTicketKeys({ server, place, names: this.names, start: this.start, nameOf: (key) => this.issueName(key) })
    if (useTicketKeys(server, keys)) {
      this.renewals.push((start) => keys.use(start))
      return
    }
    // Node lacks the callback. With one key for all tickets a rotation costs each client a handshake, and so does another slot.
    const fix = () =>
      setFixedTicketKeys(server, this.names.write({ key: this.start.issuing, slot: this.options.slot }, NO_NONCE), keys.newest)
    this.renewals.push((start) => {
      keys.use(start)
      fix()
    })
    fix()
  }

  /** The primary has made new keys. */
  update(start: TlsTicketStart): void {
    this.start = start
    for (const renew of this.renewals) renew(start)
  }

  /** The first bytes of a connection whose ClientHello is complete. */
  onHello(socket: Socket, bytes: Uint8Array): void {
    const hello = readClientHello(bytes, bytes.length)
    if (typeof hello === 'string') return
    const own = hello.ticketNames.filter((name) => this.names.read(name) !== undefined)
    if (own.length > 0) this.presented.set(socket, own.map(Buffer.from))
  }

  /** The handshake of a connection is complete. */
  onSecured(socket: TLSSocket): void {
    const names = this.early === undefined ? [] : [this.early]
    const isLate = this.early === undefined && socket.getProtocol() === 'TLSv1.3'
    this.early = undefined
    this.late = isLate ? names : undefined
    this.lateLeft = isLate ? (socket.isSessionReused() ? RESUMED_TICKETS : FULL_TICKETS) : 0
    if (this.options.remembers) {
      this.connections.set(socket, { issued: names, asks: MAX_ASKS, slot: this.options.slot, firm: false })
    }
    this.endTurn()
  }

  /** Can a request on the connection still say something new? The first few do. */
  wantsHome(socket: TLSSocket): boolean {
    const connection = this.connections.get(socket)
    return connection !== undefined && connection.asks-- > 0
  }

  /**
   * A request on the connection belongs to this slot. Returns the names of the tickets that the connection has presented and got; empty: the primary
   * knows that already. A later request that is not `firm` changes nothing.
   */
  namesToReport(socket: TLSSocket, slot: number, firm: boolean): readonly Buffer[] {
    const connection = this.connections.get(socket)
    if (connection === undefined || connection.firm || (slot === connection.slot && !firm)) return []
    connection.slot = slot
    connection.firm = firm
    const under = socketUnder(socket)
    return [...((under && this.presented.get(under)) ?? []), ...connection.issued]
  }

  private issueName(key: number): Buffer {
    const isLate = this.late !== undefined && this.lateLeft-- > 0
    const name = this.names.write({ key, slot: this.options.slot, isReusable: !isLate }, randomBytes(NAME_NONCE_BYTES))
    if (isLate) this.late?.push(name)
    else this.early = name
    this.endTurn()
    return name
  }

  /** A handshake can fail after its ticket was issued. Such a ticket belongs to no later connection. */
  private endTurn(): void {
    if (this.endsTurn) return
    this.endsTurn = true
    setImmediate(() => {
      this.endsTurn = false
      this.early = undefined
      this.late = undefined
    })
  }
}
