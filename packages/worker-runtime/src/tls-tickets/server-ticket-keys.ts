// The keys of the tickets of one TLS server, derived from the secrets of its pool. Each server has its own, as in Node: a session that a server without
// client certificates has begun must not be resumed at one that asks for them.

import { createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { Server } from 'node:tls'
import type { TlsTicketKeys, TlsTicketSource } from '@switchyard/handoff'
import type { TlsTicketNames } from '@switchyard/routing'
import type { TlsTicketStart } from '../listen-protocol.ts'

const PART_BYTES = 16
const LABEL = 'switchyard tls ticket\0'

export interface ServerTicketKeysOptions {
  readonly server: Server
  /** The address that its clients connect to. */
  readonly place: string
  readonly names: TlsTicketNames
  readonly start: TlsTicketStart
  /** Makes the name of a new ticket. `key`: the number of its key. */
  readonly nameOf: (key: number) => Buffer
}

/** What decides which clients a server trusts. */
interface AuthenticatingServer extends Server {
  readonly requestCert?: boolean
  readonly rejectUnauthorized?: boolean
  readonly ca?: unknown
  readonly crl?: unknown
}

export class ServerTicketKeys implements TlsTicketSource {
  private readonly options: ServerTicketKeysOptions
  private start: TlsTicketStart
  private readonly keys = new Map<number, TlsTicketKeys>()

  constructor(options: ServerTicketKeysOptions) {
    this.options = options
    this.start = options.start
    this.derive()
  }

  /** The keys of new tickets. */
  get newest(): TlsTicketKeys {
    return this.keys.get(this.start.issuing) as TlsTicketKeys
  }

  use(start: TlsTicketStart): void {
    this.start = start
    this.derive()
  }

  /** The app may have changed which clients it trusts. Then older tickets are no longer valid. */
  onNewContext(): void {
    this.derive()
  }

  issue(): ReturnType<TlsTicketSource['issue']> {
    return { name: this.options.nameOf(this.start.issuing), keys: this.newest, iv: randomBytes(PART_BYTES) }
  }

  /** A client of TLS 1.3 uses a ticket once (RFC 8446 §C.4), so it needs another. Other clients keep the one that they have. */
  find(name: Uint8Array): ReturnType<TlsTicketSource['find']> {
    const read = this.options.names.read(name)
    const keys = read && this.keys.get(read.key)
    return keys && { keys, renews: read?.isReusable === false }
  }

  private derive(): void {
    const { server, place } = this.options
    const label = `${LABEL}${place}\0${trustOf(server)}`
    this.keys.clear()
    for (const { number, secret } of this.start.keys) {
      const bytes = new Uint8Array(hkdfSync('sha256', Buffer.from(secret, 'base64'), '', label, 2 * PART_BYTES))
      this.keys.set(number, { hmac: bytes.subarray(0, PART_BYTES), aes: bytes.subarray(PART_BYTES) })
    }
  }
}

function trustOf(server: AuthenticatingServer): string {
  const { requestCert = false, rejectUnauthorized = true, ca, crl } = server
  const digest = createHash('sha256')
  for (const list of [ca, crl]) {
    for (const one of [list].flat()) if (typeof one === 'string' || one instanceof Uint8Array) digest.update(one).update('\0')
    digest.update('\0')
  }
  return `${requestCert} ${rejectUnauthorized} ${digest.digest('base64')}`
}
