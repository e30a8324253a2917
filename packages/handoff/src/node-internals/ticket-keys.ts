// Lets a tls.Server issue and open session tickets with keys of ours, several at a time. Node's public setTicketKeys knows one key. The context has a private
// callback beside it, which Node 20 to 26 call with each ticket.
//
// An app that sets its own keys, as an option or by setTicketKeys, keeps them.

import { randomBytes } from 'node:crypto'
import { Server } from 'node:tls'

/** The two keys of a ticket, 16 bytes each. */
export interface TlsTicketKeys {
  /** HMAC-SHA256. */
  readonly hmac: Uint8Array
  /** AES-128-CBC. */
  readonly aes: Uint8Array
}

/** Where the keys of a server's tickets come from. Its methods never throw. */
export interface TlsTicketSource {
  /** The name, 16 bytes, and the keys of a new ticket, and its initialisation vector, 16 bytes. */
  issue(): { readonly name: Uint8Array; readonly keys: TlsTicketKeys; readonly iv: Uint8Array }
  /**
   * The keys of a ticket that a client presents, and whether the client gets another one; undefined: the ticket is refused, and there is a full
   * handshake.
   */
  find(name: Uint8Array): { readonly keys: TlsTicketKeys; readonly renews: boolean } | undefined
  /** The app has called `setSecureContext`. */
  onNewContext(): void
}

/** What the callback of Node returns: a verdict, and the keys; for a new ticket also its name and vector. */
type Verdict = readonly [verdict: number, hmac: Uint8Array, aes: Uint8Array, name?: Uint8Array, iv?: Uint8Array]

interface PrivateContext {
  enableTicketKeyCallback?(): void
  onticketkeycallback?: (name: Buffer, iv: Buffer, isNew: boolean) => Verdict
}

interface PrivateServer extends Server {
  readonly _sharedCreds: { readonly context: PrivateContext }
  /** From the options. */
  readonly ticketKeys?: Buffer
}

/** Verdicts of SSL_CTX_set_tlsext_ticket_key_evp_cb(3). */
const REFUSED = 0
const ISSUED = 1
const OPENED = 1
/** The client gets another ticket too. */
const OPENED_AND_RENEWED = 2

/** Layout of the keys that setTicketKeys takes. */
const PART_BYTES = 16
const UNUSED = new Uint8Array(PART_BYTES)

const { setTicketKeys } = Server.prototype
/** Keys that apps have set by `setTicketKeys`. */
const ownKeys = new WeakMap<Server, Buffer>()
let isWatching = false

/** From now on it is known for which servers an app has called `setTicketKeys`. Call it before the app creates a server. */
export function watchTicketKeys(): void {
  if (isWatching) return
  isWatching = true
  Server.prototype.setTicketKeys = function (keys) {
    setTicketKeys.call(this, keys)
    ownKeys.set(this, Buffer.from(keys))
  }
}

/**
 * The server uses the keys of `source` from now on, also after `setSecureContext`, while its app sets none. False: this version of Node can't, and
 * `setFixedTicketKeys` is left.
 */
export function useTicketKeys(server: Server, source: TlsTicketSource): boolean {
  if (contextOf(server)?.enableTicketKeyCallback === undefined) return false
  const { setSecureContext } = server
  server.setSecureContext = (options) => {
    // The new context has keys of its own, and those of the options if there are any.
    ownKeys.delete(server)
    setSecureContext.call(server, options)
    source.onNewContext()
    install(server, source)
  }
  install(server, source)
  return true
}

/** Sets one key for all tickets, unless the app has set its own. `name`: 16 bytes. */
export function setFixedTicketKeys(server: Server, name: Uint8Array, { hmac, aes }: TlsTicketKeys): void {
  if (ownKeysOf(server) === undefined) setTicketKeys.call(server, Buffer.concat([name, hmac, aes]))
}

function install(server: Server, source: TlsTicketSource): void {
  const context = contextOf(server)
  if (context === undefined || ownKeysOf(server) !== undefined) return
  // Node ends the handshake when the callback throws or returns anything else.
  context.onticketkeycallback = (name, _iv, isNew) => {
    const own = ownKeysOf(server)
    if (own !== undefined) return verdictByOwn(own, name, isNew)
    if (isNew) {
      const { name, keys, iv } = source.issue()
      return [ISSUED, keys.hmac, keys.aes, name, iv]
    }
    const found = source.find(name)
    // The keys of a refused ticket are not used, but have to be there.
    if (found === undefined) return [REFUSED, UNUSED, UNUSED]
    return [found.renews ? OPENED_AND_RENEWED : OPENED, found.keys.hmac, found.keys.aes]
  }
  context.enableTicketKeyCallback?.()
}

/** The app has set its own keys while the callback was on, which can't be turned off. */
function verdictByOwn(own: Buffer, name: Buffer, isNew: boolean): Verdict {
  const [ownName, hmac, aes] = [0, 1, 2].map((part) => own.subarray(part * PART_BYTES, (part + 1) * PART_BYTES)) as [Buffer, Buffer, Buffer]
  if (isNew) return [ISSUED, hmac, aes, ownName, randomBytes(PART_BYTES)]
  return ownName.equals(name) ? [OPENED_AND_RENEWED, hmac, aes] : [REFUSED, UNUSED, UNUSED]
}

function ownKeysOf(server: Server): Buffer | undefined {
  return ownKeys.get(server) ?? (server as PrivateServer).ticketKeys
}

function contextOf(server: Server): PrivateContext | undefined {
  return (server as Partial<PrivateServer>)._sharedCreds?.context
}
