// The TLS session tickets of this worker. All workers of a pool have the same keys, so each of them can resume the session of any client. The name of a
// ticket names the slot where it was issued, if routes are sticky by ticket: the primary reads it in the ClientHello of the client's next
// connection.

import { randomBytes } from 'node:crypto'
import type { Server, TLSSocket } from 'node:tls'
import { setFixedTicketKeys, useTicketKeys } from '@switchyard/handoff'
import { NAME_NONCE_BYTES, TlsTicketNames } from '@switchyard/routing'
import type { TlsTicketStart } from '../listen-protocol.ts'
import { ServerTicketKeys } from './server-ticket-keys.ts'

/** A server sends two tickets after a full handshake of TLS 1.3, and one after any other. */
const MAX_NAMES = 2
const NO_NONCE = Buffer.alloc(NAME_NONCE_BYTES)

export interface TlsTicketOptions {
  readonly start: TlsTicketStart
  /** The slot in the names of tickets; undefined: they have none. */
  readonly slot: number | undefined
  /** Which tickets a connection got is remembered, for `takeNamesOf`. */
  readonly remembers: boolean
}

export class TlsTickets {
  private readonly options: TlsTicketOptions
  private start: TlsTicketStart
  private readonly names: TlsTicketNames
  /** Of each server, what gives it the current keys. */
  private readonly renewals: ((start: TlsTicketStart) => void)[] = []
  private readonly issued = new WeakMap<TLSSocket, Buffer[]>()
  /** Tickets that TLS 1.2 has issued: the handshake is complete in the same call of Node's. */
  private early: Buffer[] = []
  /** The tickets of the last connection whose handshake was completed. TLS 1.3 issues them next, in the same call. */
  private late: Buffer[] | undefined
  private endsTurn = false

  constructor(options: TlsTicketOptions) {
    this.options = options
    this.start = options.start
    this.names = new TlsTicketNames(Buffer.from(options.start.names, 'base64'))
  }

  /** The slot in the names of tickets; undefined: they have none. */
  get slot(): number | undefined {
    return this.options.slot
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

  /** The handshake of a connection is complete. */
  onSecured(socket: TLSSocket): void {
    if (!this.options.remembers) return
    const names = this.early
    this.early = []
    this.late = names.length === 0 ? names : undefined
    this.issued.set(socket, names)
    this.endTurn()
  }

  /** The names of the tickets that a connection has got. The next call for it returns none of them. */
  takeNamesOf(socket: TLSSocket): Buffer[] {
    return this.issued.get(socket)?.splice(0) ?? []
  }

  private issueName(key: number): Buffer {
    const name = this.names.write({ key, slot: this.options.slot }, randomBytes(NAME_NONCE_BYTES))
    if (!this.options.remembers) return name
    const list = this.late ?? this.early
    if (list.length < MAX_NAMES) list.push(name)
    this.endTurn()
    return name
  }

  /** A handshake can fail after its ticket was issued. Such a ticket belongs to no later connection. */
  private endTurn(): void {
    if (this.endsTurn) return
    this.endsTurn = true
    setImmediate(() => {
      this.endsTurn = false
      this.early = []
      this.late = undefined
    })
  }
}
