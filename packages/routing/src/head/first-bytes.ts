// Recognises TLS and HTTP/2 by their first bytes.

const HANDSHAKE_RECORD = 0x16
const CLIENT_HELLO = 1
const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** `undecided`: more bytes are needed. `undefined`: neither TLS nor HTTP/2, so it may be HTTP/1. `end` is at least 1. */
export function otherProtocol(bytes: Uint8Array, end: number): 'tls' | 'http/2' | 'unknown' | 'undecided' | undefined {
  if (bytes[0] === HANDSHAKE_RECORD) return tlsOrUnknown(bytes, end)
  if (bytes[0] !== HTTP2_PREFACE[0]) return undefined
  const same = commonLength(bytes, 0, end, HTTP2_PREFACE)
  if (same === HTTP2_PREFACE.length) return 'http/2'
  return same === end ? 'undecided' : undefined
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
