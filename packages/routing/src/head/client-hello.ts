// Reads a TLS ClientHello (RFC 8446 §4.1.2) from the bytes that a client has sent so far, which may be several records (§5.1). Pure and total:
// it never throws, and the worker's TLS stack stays the authority on what a hello means.

import { Reader } from './vector-reader.ts'

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
const FIRST_BODY_BYTE = RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES
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
/** A bit for each extension that is read. */
const READ: Readonly<Record<number, number>> = {
  [SERVER_NAME]: 1,
  [ALPN]: 2,
  [SESSION_TICKET]: 4,
  [PRE_SHARED_KEY]: 8,
  [ENCRYPTED_CLIENT_HELLO]: 16,
}

/** Letters, digits, `-` and `_` in labels of at most 63. A name whose last label has digits alone is an IPv4 address. */
const DNS_NAME = /^(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*(?!\d+$)[a-z0-9_-]{1,63}$/

/** Reads the first `end` bytes. Bytes behind the hello are ignored. */
export function readClientHello(bytes: Uint8Array, end: number): HelloReading {
  const message = helloMessage(bytes, Math.min(end, bytes.length))
  if (typeof message === 'string') return message
  const reading = readMessage(message)
  return typeof reading === 'number' ? 'invalid' : reading
}

/**
 * Where reading stops in the message of an invalid hello whose records are right: an offset in the first `end` bytes. undefined: the hello has
 * no such fault.
 */
export function faultInMessage(bytes: Uint8Array, end: number): number | undefined {
  const message = helloMessage(bytes, Math.min(end, bytes.length))
  const reading = typeof message === 'string' ? undefined : readMessage(message)
  if (typeof reading !== 'number') return undefined
  let left = MESSAGE_HEADER_BYTES + reading
  for (let at = 0; ; at += RECORD_HEADER_BYTES + recordLength(bytes, at)) {
    const length = recordLength(bytes, at)
    if (left < length) return at + RECORD_HEADER_BYTES + left
    left -= length
    // The message ends with the record.
    if (left === 0 && at + RECORD_HEADER_BYTES + length >= end) return end
  }
}

/** The message without its header. If one record carries it, it is read where it stands. */
function helloMessage(bytes: Uint8Array, end: number): Reader | 'incomplete' | 'invalid' {
  if (end >= FIRST_BODY_BYTE && mayBeRecord(bytes, 0, end)) {
    const wanted = (bytes[RECORD_HEADER_BYTES] as number) === CLIENT_HELLO ? number24(bytes, RECORD_HEADER_BYTES + 1) : 0
    const record = recordLength(bytes, 0)
    if (wanted > 0 && wanted <= MAX_HELLO_BYTES && record >= wanted + MESSAGE_HEADER_BYTES && record <= MAX_RECORD_BYTES)
      return end < FIRST_BODY_BYTE + wanted ? 'incomplete' : new Reader(bytes, FIRST_BODY_BYTE, FIRST_BODY_BYTE + wanted)
  }
  return joinedMessage(bytes, end)
}

/** The same from several records, as a copy. */
function joinedMessage(bytes: Uint8Array, end: number): Reader | 'incomplete' | 'invalid' {
  const header = new Uint8Array(MESSAGE_HEADER_BYTES)
  let joined: Uint8Array | undefined
  /** How much of the message, header included, has been read. */
  let have = 0
  for (let at = 0; at < end; ) {
    if (!mayBeRecord(bytes, at, end)) return 'invalid'
    if (end - at < RECORD_HEADER_BYTES) return 'incomplete'
    const length = recordLength(bytes, at)
    if (length === 0 || length > MAX_RECORD_BYTES) return 'invalid'
    let from = at + RECORD_HEADER_BYTES
    at = from + length
    const stop = Math.min(at, end)
    for (; from < stop && have < MESSAGE_HEADER_BYTES; from++) header[have++] = bytes[from] as number
    if (have > 0 && header[0] !== CLIENT_HELLO) return 'invalid'
    if (have < MESSAGE_HEADER_BYTES) continue
    const wanted = number24(header, 1)
    if (wanted > MAX_HELLO_BYTES) return 'invalid'
    const missing = wanted - (have - MESSAGE_HEADER_BYTES)
    joined ??= new Uint8Array(wanted)
    const part = bytes.subarray(from, Math.min(stop, from + missing))
    joined.set(part, wanted - missing)
    have += part.length
    if (part.length === missing) return new Reader(joined, 0, wanted)
  }
  return 'incomplete'
}

function recordLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number)
}

function number24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
}

/** Tests as much of a record's header as there is: type handshake, version 3.0 to 3.4. */
function mayBeRecord(bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at] !== HANDSHAKE_RECORD) return false
  return (at + 1 >= end || bytes[at + 1] === 3) && (at + 2 >= end || (bytes[at + 2] as number) <= 4)
}

/** A message under construction. */
interface Found {
  serverName: string | undefined
  protocols: string[]
  ticketNames: Uint8Array[]
  hasEch: boolean
}

/** Returns where reading stopped if the message is faulty, as an offset in it. */
function readMessage(message: Reader): ClientHello | number {
  const length = message.left
  message.skip(VERSION_AND_RANDOM_BYTES)
  const sessionId = message.skipVector(1)
  const cipherSuites = message.skipVector(2)
  const compressions = message.skipVector(1)
  if (message.isFaulty || sessionId > MAX_SESSION_ID_BYTES || cipherSuites < 2 || cipherSuites % 2 !== 0 || compressions === 0)
    return length - message.left
  const found: Found = { serverName: undefined, protocols: [], ticketNames: [], hasEch: false }
  // Before TLS 1.3 a hello may end here.
  if (message.left === 0) return found
  // The extensions are all that is left.
  const extensions = length - message.left
  if (message.number(2) !== message.left || message.isFaulty) return extensions
  const left = readExtensions(message, found)
  return left === 0 ? found : length - left
}

/**
 * Returns how many bytes are left where a faulty one begins; 0: none is. An extension that is read here must not come twice, or the TLS stack
 * might read the other one.
 */
function readExtensions(extensions: Reader, found: Found): number {
  let seen = 0
  while (extensions.left > 0) {
    const { left } = extensions
    const type = extensions.number(2)
    const bit = READ[type]
    if (bit === undefined) {
      extensions.skipVector(2)
      if (extensions.isFaulty) return left
      continue
    }
    const data = extensions.vector(2)
    if (extensions.isFaulty || (seen & bit) !== 0 || !readExtension(type, data, found) || data.isFaulty) return left
    seen |= bit
    // RFC 8446 §4.2.11: it comes last.
    if (type === PRE_SHARED_KEY && extensions.left > 0) return left
  }
  return 0
}

/** Returns false for a faulty one. */
function readExtension(type: number, data: Reader, found: Found): boolean {
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
    default:
      found.hasEch = true
      return true
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
