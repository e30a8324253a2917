// Tells protocols apart by the first bytes of a connection: the one table of them.
//
// | first bytes                                    | protocol  | its head                          |
// | ---------------------------------------------- | --------- | --------------------------------- |
// | 16 03 00…04 .. .. 01                           | TLS       | the ClientHello (client-hello.ts) |
// | the 24 bytes PRI * HTTP/2.0 …                  | HTTP/2    | none: routed by address           |
// | a method, a space, a target, a space, HTTP/1.x | HTTP/1    | the request head (head-scan.ts)   |
// | anything else                                  | unknown   | none: refused                     |

import type { HeadOutcome, HeadProtocol } from './head-scan.ts'

/**
 * What the clients of a listener speak. `detect`: HTTP/1, HTTP/2 or TLS, judged by the first bytes. `tcp`: anything, and the server may speak
 * first, so nothing is read.
 */
export const listenerProtocols = ['detect', 'http', 'tls', 'http2', 'tcp'] as const
export type ListenerProtocol = (typeof listenerProtocols)[number]

/** What a head must be on a listener whose protocol is named. */
const SPOKEN = { http: 'http/1', tls: 'tls', http2: 'http/2' } as const

const HANDSHAKE_RECORD = 0x16
const CLIENT_HELLO = 1
/** `PRI * HTTP/2` */
const HTTP2_METHOD_BYTES = 12
const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** `undecided`: more bytes are needed. `undefined`: neither TLS nor HTTP/2, so it may be HTTP/1. `end` is at least 1. */
export function otherProtocol(bytes: Uint8Array, end: number): 'tls' | 'http/2' | 'unknown' | 'undecided' | undefined {
  if (bytes[0] === HANDSHAKE_RECORD) return tlsOrUnknown(bytes, end)
  if (bytes[0] !== HTTP2_PREFACE[0]) return undefined
  const same = commonLength(bytes, 0, end, HTTP2_PREFACE)
  if (same === HTTP2_PREFACE.length) return 'http/2'
  return same === end ? 'undecided' : undefined
}

/** Can this head, or what may still come of it, be of the protocol of its listener? */
export function mayBeSpoken(protocol: ListenerProtocol, outcome: HeadOutcome, spoken: HeadProtocol): boolean {
  if (protocol === 'detect' || protocol === 'tcp') return true
  return spoken === SPOKEN[protocol] || (outcome === 'incomplete' && spoken === 'unknown')
}

/** Does the connection begin with a TLS handshake? Then it can be refused with an alert only. */
export function beginsTls(bytes: Uint8Array): boolean {
  return bytes[0] === HANDSHAKE_RECORD && (bytes.length < 2 || bytes[1] === 3)
}

/** Does the client speak HTTP/2, perhaps with a faulty preface? No request of HTTP/1 has this method (RFC 9113 §3.4). */
export function beginsHttp2(bytes: Uint8Array): boolean {
  return commonLength(bytes, 0, bytes.length, HTTP2_PREFACE) >= HTTP2_METHOD_BYTES
}

/** Do the bytes begin with the whole preface of HTTP/2? */
export function speaksHttp2(bytes: Uint8Array): boolean {
  return otherProtocol(bytes, bytes.length) === 'http/2'
}

/** How many of the bytes from `from` to `end` equal the first ones of `wanted`. */
export function commonLength(bytes: Uint8Array, from: number, end: number, wanted: Uint8Array): number {
  const most = Math.min(end - from, wanted.length)
  let same = 0
  while (same < most && bytes[from + same] === wanted[same]) same++
  return same
}

/** A record (RFC 8446 §5.1) of type handshake, version 3.0 to 3.4, whose first message is a ClientHello. */
function tlsOrUnknown(bytes: Uint8Array, end: number): 'tls' | 'unknown' | 'undecided' {
  if (end > 1 && bytes[1] !== 3) return 'unknown'
  if (end > 2 && (bytes[2] as number) > 4) return 'unknown'
  if (end < 6) return 'undecided'
  return bytes[5] === CLIENT_HELLO ? 'tls' : 'unknown'
}
