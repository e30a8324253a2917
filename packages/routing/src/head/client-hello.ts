// Reads a TLS ClientHello (RFC 8446 §4.1.2) from the bytes that a client has sent so far, which may be several records (§5.1). Pure and total:
// it never throws, and the worker's TLS stack stays the authority on what a hello means.

/** What routing uses of a ClientHello. Nothing in it is proven: a client writes what it likes. */
export interface ClientHello {
  /** In lower case; undefined: none, or it is not a DNS name. With ECH this is the outer name. */
  readonly serverName: string | undefined
  /** ALPN, in the client's order, as latin1. At most 32. */
  readonly protocols: readonly string[]
  /**
   * The first 16 bytes of each session ticket that the client presents: TLS 1.3 pre_shared_key identities, TLS 1.2 session_ticket. At most 8. They
   * are copies.
   */
  readonly ticketNames: readonly Uint8Array[]
  /** The client offers Encrypted ClientHello. Browsers send such an extension to every server, so it says little. */
  readonly hasEch: boolean
}

/** `incomplete`: more bytes are needed. `invalid`: no ClientHello that is read here; the TLS stack of a worker judges it. */
export type HelloReading = ClientHello | 'incomplete' | 'invalid'

/** A longer hello is `invalid`. Envoy and HAProxy have the same bound; real ones have 0.2 to 4 KiB. */
export const MAX_HELLO_BYTES = 16_384
/** The part of a ticket that names its key (RFC 5077 §4). */
export const TICKET_NAME_BYTES = 16

/** Further ones are not read. */
export const MAX_PROTOCOLS = 32
const MAX_TICKETS = 8

const HANDSHAKE_RECORD = 22
const RECORD_HEADER_BYTES = 5
const MAX_RECORD_BYTES = 16_384
const CLIENT_HELLO = 1
const MESSAGE_HEADER_BYTES = 4
const VERSION_AND_RANDOM_BYTES = 2 + 32
const MAX_SESSION_ID_BYTES = 32
/** Identity length, one byte of identity, ticket age (RFC 8446 §4.2.11). */
const MIN_IDENTITY_BYTES = 7

const SERVER_NAME = 0
const ALPN = 16
const SESSION_TICKET = 35
const PRE_SHARED_KEY = 41
const ENCRYPTED_CLIENT_HELLO = 0xfe0d
const HOST_NAME = 0

/** Letters, digits, `-` and `_` in labels of at most 63. A name whose last label has digits alone is an IPv4 address. */
const DNS_NAME = /^(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*(?!\d+$)[a-z0-9_-]{1,63}$/

/** Reads the first `end` bytes. Bytes behind the hello are ignored. */
export function readClientHello(bytes: Uint8Array, end: number): HelloReading {
  const message = helloMessage(bytes, Math.min(end, bytes.length))
  return typeof message === 'string' ? message : (readMessage(new Reader(message, 0, message.length)) ?? 'invalid')
}

/** The message without its header, joined from the records that carry it. */
function helloMessage(bytes: Uint8Array, end: number): Uint8Array | 'incomplete' | 'invalid' {
  const header = new Uint8Array(MESSAGE_HEADER_BYTES)
  let joined: Uint8Array | undefined
  /** How much of the message, header included, has been read. */
  let have = 0
  for (let at = 0; at < end; ) {
    if (!mayBeRecord(bytes, at, end)) return 'invalid'
    if (end - at < RECORD_HEADER_BYTES) return 'incomplete'
    const start = at + RECORD_HEADER_BYTES
    const length = ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number)
    if (length === 0 || length > MAX_RECORD_BYTES) return 'invalid'
    at = start + length
    const stop = Math.min(at, end)
    let from = start
    for (; from < stop && have < MESSAGE_HEADER_BYTES; from++) header[have++] = bytes[from] as number
    if (have > 0 && header[0] !== CLIENT_HELLO) return 'invalid'
    if (have < MESSAGE_HEADER_BYTES) continue
    const wanted = ((header[1] as number) << 16) | ((header[2] as number) << 8) | (header[3] as number)
    if (wanted > MAX_HELLO_BYTES) return 'invalid'
    const missing = wanted - (have - MESSAGE_HEADER_BYTES)
    if (joined === undefined && missing === wanted && stop - from >= wanted) return bytes.subarray(from, from + wanted)
    joined ??= new Uint8Array(wanted)
    const part = bytes.subarray(from, Math.min(stop, from + missing))
    joined.set(part, wanted - missing)
    have += part.length
    if (part.length === missing) return joined
  }
  return 'incomplete'
}

/** Tests as much of a record's header as there is: type handshake, version 3.0 to 3.4. */
function mayBeRecord(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at] !== HANDSHAKE_RECORD) return false
  return (at + 1 >= end || bytes[at + 1] === 3) && (at + 2 >= end || (bytes[at + 2] as number) <= 4)
}

/** A message under construction; `undefined` as the result of a part: it is faulty. */
interface Found {
  serverName: string | undefined
  protocols: string[]
  ticketNames: Uint8Array[]
  hasEch: boolean
}

function readMessage(message: Reader): ClientHello | undefined {
  message.skip(VERSION_AND_RANDOM_BYTES)
  const sessionId = message.vector(1)
  const cipherSuites = message.vector(2)
  const compressions = message.vector(1)
  if (sessionId.left > MAX_SESSION_ID_BYTES || cipherSuites.left < 2 || cipherSuites.left % 2 !== 0 || compressions.left === 0)
    return undefined
  const found: Found = { serverName: undefined, protocols: [], ticketNames: [], hasEch: false }
  // Before TLS 1.3 a hello may end here.
  if (message.left === 0) return message.isFaulty ? undefined : found
  const extensions = message.vector(2)
  if (message.isFaulty || message.left > 0) return undefined
  return readExtensions(extensions, found) ? found : undefined
}

/** Returns false if they are faulty. An extension that is read here must not come twice, or the TLS stack might read the other one. */
function readExtensions(extensions: Reader, found: Found): boolean {
  const seen = new Set<number>()
  while (extensions.left > 0) {
    const type = extensions.number(2)
    const data = extensions.vector(2)
    if (extensions.isFaulty) return false
    const isRead = readExtension(type, data, found)
    if (isRead === undefined) continue
    if (!isRead || data.isFaulty || seen.has(type)) return false
    seen.add(type)
    // RFC 8446 §4.2.11: it comes last.
    if (type === PRE_SHARED_KEY && extensions.left > 0) return false
  }
  return true
}

/** Returns undefined for an extension that is not read here, and false for a faulty one. */
function readExtension(type: number, data: Reader, found: Found): boolean | undefined {
  switch (type) {
    case SERVER_NAME:
      return readServerName(data, found)
    case ALPN:
      return readProtocols(data, found)
    case SESSION_TICKET:
      addTicket(data, found)
      return true
    case PRE_SHARED_KEY:
      return readIdentities(data, found)
    case ENCRYPTED_CLIENT_HELLO:
      found.hasEch = true
      return true
    default:
      return undefined
  }
}

/** RFC 6066 §3: a list with a single name. */
function readServerName(data: Reader, found: Found): boolean {
  const list = data.vector(2)
  const type = list.number(1)
  const name = list.vector(2)
  if (list.isFaulty || data.left > 0 || list.left > 0 || type !== HOST_NAME || name.left === 0) return false
  found.serverName = dnsName(name.text())
  return true
}

/** The name in lower case without a final dot; undefined: it is no DNS name. */
export function dnsName(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, '')
  return DNS_NAME.test(name) ? name : undefined
}

/** RFC 7301 §3.1. */
function readProtocols(data: Reader, found: Found): boolean {
  const list = data.vector(2)
  if (data.left > 0 || list.left === 0) return false
  while (list.left > 0) {
    const name = list.vector(1)
    if (list.isFaulty || name.left === 0) return false
    if (found.protocols.length < MAX_PROTOCOLS) found.protocols.push(name.text())
  }
  return true
}

function readIdentities(data: Reader, found: Found): boolean {
  const identities = data.vector(2)
  const binders = data.vector(2)
  if (data.left > 0 || identities.left < MIN_IDENTITY_BYTES || binders.left === 0) return false
  while (identities.left > 0) {
    const identity = identities.vector(2)
    identities.skip(4)
    if (identities.isFaulty || identity.left === 0) return false
    addTicket(identity, found)
  }
  return true
}

/** An identity that is shorter than a ticket's name is no ticket: the client and the server agreed on its key elsewhere. */
function addTicket(ticket: Reader, found: Found): void {
  if (ticket.left >= TICKET_NAME_BYTES && found.ticketNames.length < MAX_TICKETS) found.ticketNames.push(ticket.copy(TICKET_NAME_BYTES))
}

/** Reads numbers and vectors (RFC 8446 §3.4). Beyond its end it reads nothing and is faulty. */
class Reader {
  isFaulty = false
  private readonly bytes: Uint8Array
  private at: number
  private readonly end: number

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  skip(length: number): void {
    if (length > this.left) {
      this.isFaulty = true
      this.at = this.end
    } else this.at += length
  }

  /** A number of `width` bytes; 0 if there are not as many. */
  number(width: 1 | 2): number {
    const { at } = this
    this.skip(width)
    if (this.isFaulty) return 0
    const first = this.bytes[at] as number
    return width === 1 ? first : (first << 8) | (this.bytes[at + 1] as number)
  }

  /** Content with its length, of `width` bytes, before it; empty if it does not fit. */
  vector(width: 1 | 2): Reader {
    const length = this.number(width)
    const { at } = this
    this.skip(length)
    return this.isFaulty ? new Reader(this.bytes, at, at) : new Reader(this.bytes, at, at + length)
  }

  /** What is left, as latin1. */
  text(): string {
    return String.fromCharCode(...this.bytes.subarray(this.at, this.end))
  }

  copy(length: number): Uint8Array {
    return new Uint8Array(this.bytes.subarray(this.at, this.at + length))
  }
}
