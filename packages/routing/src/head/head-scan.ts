// Scans the raw bytes of a request head in one pass: where it ends, where its parts are, and whether it has traits of request smuggling. The
// head of a TLS connection is its ClientHello.
// It makes no strings and never throws. The grammar is RFC 9112 without its leniencies; the worker's parser stays the authority.

import { type ClientHello, readClientHello } from './client-hello.ts'
import { commonLength, otherProtocol } from './first-bytes.ts'

/** What the bytes are so far. `not-http`: they can become neither an HTTP/1 head nor a ClientHello; see `protocol`. */
export type HeadOutcome = 'complete' | 'incomplete' | 'too-large' | 'not-http'

/** The protocol of the peer, judged by its first bytes. */
export type HeadProtocol = 'http/1' | 'http/2' | 'tls' | 'unknown'

/** Offsets count from the first byte given to the scan. */
export interface HeadScan {
  outcome: HeadOutcome
  protocol: HeadProtocol
  ambiguous: boolean
  methodStart: number
  methodEnd: number
  targetStart: number
  targetEnd: number
  /** The head has more than one Host field: RFC 9112 §3.2 requires a 400. */
  hasManyHosts: boolean
  /** The Host consists of letters, digits, `.`, `-` and `_`, with or without a port. */
  hasSimpleHost: boolean
  /** Start and colon of each field line, in pairs. A line ends two bytes before the next one starts. */
  readonly fields: number[]
  /** Length of the head with the final CRLFCRLF; 0 unless complete, and over TLS. */
  byteLength: number
  /** Of a complete head over TLS. */
  hello: ClientHello | undefined
}

const TOKEN = 1
const VALUE = 2
const TARGET = 4
const HOST = 8
const CLASS = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  if (byte === 0x09 || (byte >= 0x20 && byte !== 0x7f)) CLASS[byte] = VALUE
  if (byte > 0x20 && byte !== 0x7f) CLASS[byte] = VALUE | TARGET
  if (/[\w!#$%&'*+.^`|~-]/.test(String.fromCharCode(byte))) CLASS[byte] = VALUE | TARGET | TOKEN
  if (/[\w.-]/.test(String.fromCharCode(byte))) CLASS[byte] = VALUE | TARGET | TOKEN | HOST
}

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const COLON = 0x3a
const SLASH = 0x2f
const MAX_METHOD_BYTES = 32
const MAX_LEADING_LINES = 2
const VERSION = Buffer.from('HTTP/1.')

export function newScan(outcome: HeadOutcome, protocol: HeadProtocol): HeadScan {
  return {
    outcome,
    protocol,
    ambiguous: false,
    methodStart: 0,
    methodEnd: 0,
    targetStart: 0,
    targetEnd: 0,
    hasManyHosts: false,
    hasSimpleHost: false,
    fields: [],
    byteLength: 0,
    hello: undefined,
  }
}

/**
 * Scans the first `end` bytes for a request head. `end` is at most `bytes.length`. The outcome is never `too-large`: the caller owns the limit.
 */
export function scanHead(bytes: Uint8Array, end: number): HeadScan {
  const scan = newScan('incomplete', 'unknown')
  if (end === 0) return scan
  const other = otherProtocol(bytes, end)
  if (other === 'undecided') return scan
  if (other === 'tls') return scanHello(bytes, end, scan)
  if (other !== undefined) return ended(scan, 'not-http', other)

  let at = 0
  for (let line = 0; line < MAX_LEADING_LINES && at < end && bytes[at] === CR; line++, at += 2) {
    if (at + 1 === end) return scan
    if (bytes[at + 1] !== LF) return ended(scan, 'not-http', 'unknown')
  }
  at = scanRequestLine(bytes, at, end, scan)
  if (at === 0) return scan
  scan.protocol = 'http/1'
  at = scanFields(bytes, at, end, scan)
  if (at === 0) return scan
  if (!isPlainTarget(bytes, scan)) scan.ambiguous = true
  scan.byteLength = at
  return ended(scan, 'complete', 'http/1')
}

function scanHello(bytes: Uint8Array, end: number, scan: HeadScan): HeadScan {
  const hello = readClientHello(bytes, end)
  if (typeof hello !== 'string') scan.hello = hello
  return ended(scan, hello === 'incomplete' ? 'incomplete' : hello === 'invalid' ? 'not-http' : 'complete', 'tls')
}

function ended(scan: HeadScan, outcome: HeadOutcome, protocol: HeadProtocol): HeadScan {
  scan.outcome = outcome
  scan.protocol = protocol
  return scan
}

/** Returns the offset after the line, or 0 without a line; `outcome` then says whether it may still come. */
function scanRequestLine(bytes: Uint8Array, from: number, end: number, scan: HeadScan): number {
  let at = from
  const methodLimit = Math.min(end, from + MAX_METHOD_BYTES)
  while (at < methodLimit && ((CLASS[bytes[at] as number] as number) & TOKEN) !== 0) at++
  if (at === end) return 0
  if (at === from || bytes[at] !== SPACE) return notHttp(scan)
  scan.methodStart = from
  scan.methodEnd = at
  scan.targetStart = ++at
  while (at < end && ((CLASS[bytes[at] as number] as number) & TARGET) !== 0) at++
  if (at === end) return 0
  if (at === scan.targetStart || bytes[at] !== SPACE) return notHttp(scan)
  scan.targetEnd = at
  at++
  const same = commonLength(bytes, at, end, VERSION)
  at += same
  if (same < VERSION.length) return at === end ? 0 : notHttp(scan)
  if (at === end) return 0
  const minor = bytes[at] as number
  if (minor < 0x30 || minor > 0x39) return notHttp(scan)
  if (++at === end) return 0
  if (bytes[at] === LF) {
    scan.ambiguous = true
    return at + 1
  }
  if (bytes[at] !== CR) return notHttp(scan)
  if (++at === end) return 0
  return bytes[at] === LF ? at + 1 : notHttp(scan)
}

function notHttp(scan: HeadScan): 0 {
  scan.outcome = 'not-http'
  return 0
}

/** Returns the offset after the empty line, or 0 while there is none. A faulty line makes the head ambiguous, and the scan continues. */
function scanFields(bytes: Uint8Array, from: number, end: number, scan: HeadScan): number {
  let at = from
  let hasHost = false
  while (at < end) {
    const first = bytes[at] as number
    if (first === LF) {
      scan.ambiguous = true
      return at + 1
    }
    if (first === CR) {
      if (at + 1 === end) return 0
      if (bytes[at + 1] === LF) return at + 2
    }
    const start = at
    while (at < end && ((CLASS[bytes[at] as number] as number) & TOKEN) !== 0) at++
    const colon = at
    // RFC 9112 §5.1 and §5.2: no name, a space before the colon, no colon, or a folded line.
    if (at < end && (at === start || bytes[at] !== COLON)) scan.ambiguous = true
    at = scanLineEnd(bytes, at, end, scan)
    if (at === 0) return 0
    scan.fields.push(start, colon)
    if (colon - start === 4 && isHostName(bytes, start)) {
      if (hasHost) scan.ambiguous = scan.hasManyHosts = true
      else scan.hasSimpleHost = isSimpleHost(bytes, colon + 1, at)
      hasHost = true
    }
  }
  return 0
}

/** Returns the offset after the line's end, or 0 while there is none. Bare CR, bare LF and control bytes make the head ambiguous. */
function scanLineEnd(bytes: Uint8Array, from: number, end: number, scan: HeadScan): number {
  let at = from
  for (;;) {
    while (at < end && ((CLASS[bytes[at] as number] as number) & VALUE) !== 0) at++
    if (at === end) return 0
    const byte = bytes[at++]
    if (byte === CR) {
      if (at === end) return 0
      if (bytes[at] === LF) return at + 1
    }
    scan.ambiguous = true
    if (byte === LF) return at
  }
}

/** Tests the value of a complete Host line. */
function isSimpleHost(bytes: Uint8Array, from: number, lineEnd: number): boolean {
  let at = from
  while (bytes[at] === SPACE) at++
  const start = at
  while (at < lineEnd && ((CLASS[bytes[at] as number] as number) & HOST) !== 0) at++
  if (at === start) return false
  if (bytes[at] === COLON) {
    at++
    while (at < lineEnd && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at++
  }
  return bytes[at] === CR
}

function isHostName(bytes: Uint8Array, at: number): boolean {
  return (
    ((bytes[at] as number) | 0x20) === 0x68 &&
    ((bytes[at + 1] as number) | 0x20) === 0x6f &&
    ((bytes[at + 2] as number) | 0x20) === 0x73 &&
    ((bytes[at + 3] as number) | 0x20) === 0x74
  )
}

/** RFC 9112 §3.2: origin-form, absolute-form, authority-form for CONNECT, or `*`, which Node accepts with every method. */
function isPlainTarget(bytes: Uint8Array, scan: HeadScan): boolean {
  const first = bytes[scan.targetStart]
  if (methodIs(bytes, scan, 'CONNECT')) return first !== 0x2a && !bytes.subarray(scan.targetStart, scan.targetEnd).includes(SLASH)
  if (first === SLASH) return true
  return (first === 0x2a && scan.targetEnd - scan.targetStart === 1) || isAbsolute(bytes, scan)
}

/** Letters, then `://`: Node's parser takes no other scheme. */
function isAbsolute(bytes: Uint8Array, { targetStart, targetEnd }: HeadScan): boolean {
  let at = targetStart
  while (at < targetEnd && isLetter(bytes[at] as number)) at++
  return at > targetStart && bytes[at] === COLON && bytes[at + 1] === SLASH && bytes[at + 2] === SLASH
}

function isLetter(byte: number): boolean {
  return (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a
}

function methodIs(bytes: Uint8Array, scan: HeadScan, method: string): boolean {
  if (scan.methodEnd - scan.methodStart !== method.length) return false
  for (let index = 0; index < method.length; index++) {
    if (bytes[scan.methodStart + index] !== method.charCodeAt(index)) return false
  }
  return true
}
