// Reads the header of the PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt), from the first bytes
// of a connection. Pure. It is loaded when a listener expects such headers.

import { MAX_PROXY_HEADER_BYTES, PROXY_SIGNATURE, ProxiedClient, readTlvs, tlvsEnd } from '../proxied-client.ts'

/** `none`: the bytes begin otherwise. `invalid`: they begin as a header that no proxy may send. `incomplete`: they may become a header. */
export type ProxyHeader =
  | { readonly outcome: 'none' | 'invalid' | 'incomplete' }
  | {
      readonly outcome: 'complete'
      /** Behind these bytes the client's own begin. */
      readonly byteLength: number
      /** undefined: the connection is the proxy's own, or the header has no TCP addresses. Then the addresses of the connection count. */
      readonly client: ProxiedClient | undefined
    }

const NONE = { outcome: 'none' } as const
const INVALID = { outcome: 'invalid' } as const
const INCOMPLETE = { outcome: 'incomplete' } as const

const WORD = Buffer.from('PROXY', 'latin1')
/** Of a line of version 1, with CRLF. */
const MAX_LINE_BYTES = 107
const CR = 0x0d
const LF = 0x0a
const TCP_LINE = /^PROXY TCP([46]) ([\d.:a-fA-F]{2,45}) ([\d.:a-fA-F]{2,45}) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/
const UNKNOWN_LINE = /^PROXY UNKNOWN(?: |$)/

const FIXED_BYTES = 16
const VERSION = 2
const LOCAL = 0
const PROXY = 1
const MOST_FAMILY = 3
const MOST_TRANSPORT = 2
const STREAM = 1
/** Bytes of both addresses with their ports, by family: unspecified, IPv4, IPv6, unix. */
const ADDRESS_BYTES = [0, 12, 36, 216] as const
const UNIX = 3
const CHECKSUM = 0x03

/** Reads from the first `length` bytes. Never throws. */
export function readProxyHeader(bytes: Buffer, length: number): ProxyHeader {
  const all = bytes.subarray(0, length)
  const first = all.subarray(0, PROXY_SIGNATURE.length)
  if (first.equals(PROXY_SIGNATURE.subarray(0, first.length))) return first.length < PROXY_SIGNATURE.length ? INCOMPLETE : readBinary(all)
  const word = all.subarray(0, WORD.length)
  if (word.equals(WORD.subarray(0, word.length))) return word.length < WORD.length ? INCOMPLETE : readLine(all)
  return NONE
}

function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf(LF)
  if (end === -1) return bytes.length >= MAX_LINE_BYTES ? INVALID : INCOMPLETE
  if (bytes.indexOf(CR) !== end - 1) return INVALID
  const line = bytes.toString('latin1', 0, end - 1)
  const byteLength = end + 1
  if (UNKNOWN_LINE.test(line)) return { outcome: 'complete', byteLength, client: undefined }
  const [, version = '', source = '', destination = '', ...ports] = TCP_LINE.exec(line) ?? []
  const read = version === '4' ? readIPv4 : readIPv6
  const from = read(source)
  const to = read(destination)
  const [sourcePort, destinationPort] = ports.map(Number)
  if (from === undefined || to === undefined || !isPort(sourcePort) || !isPort(destinationPort)) return INVALID
  const parts = [...from, ...to, sourcePort >> 8, sourcePort & 0xff, destinationPort >> 8, destinationPort & 0xff]
  const client = new ProxiedClient(Buffer.from([0x21, version === '4' ? 0x11 : 0x21, 0, parts.length, ...parts]))
  return { outcome: 'complete', byteLength, client }
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && port <= 65_535
}

function readIPv4(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined
  return parts.map(Number)
}

/** The last 32 bits may be written as IPv4, as inet_ntop writes mapped addresses. */
function readIPv6(text: string): number[] | undefined {
  const [, before = '', dotted] = /^(.*:)(\d+\.[\d.]+)$/.exec(text) ?? [undefined, text]
  const tail = dotted === undefined ? [] : readIPv4(dotted)
  if (tail === undefined) return undefined
  const hex = dotted === undefined ? before : before.endsWith('::') ? before : before.slice(0, -1)
  const halves = hex.split('::')
  if (halves.length > 2) return undefined
  const [left = '', right] = halves
  const start = groupsOf(left, right !== undefined)
  const end = right === undefined ? [] : groupsOf(right, true)
  if (start === undefined || end === undefined) return undefined
  const missing = 16 - start.length - end.length - tail.length
  if (right === undefined ? missing !== 0 : missing < 2) return undefined
  return [...start, ...new Array<number>(missing).fill(0), ...end, ...tail]
}

function groupsOf(text: string, mayBeEmpty: boolean): number[] | undefined {
  if (text === '') return mayBeEmpty ? [] : undefined
  const groups = text.split(':')
  if (!groups.every((group) => /^[\da-f]{1,4}$/i.test(group))) return undefined
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

/** `bytes` begins with the signature. */
function readBinary(bytes: Buffer): ProxyHeader {
  const [versionAndCommand, familyAndTransport] = [bytes[PROXY_SIGNATURE.length], bytes[PROXY_SIGNATURE.length + 1]]
  if (versionAndCommand === undefined) return INCOMPLETE
  const command = versionAndCommand & 0xf
  if (versionAndCommand >> 4 !== VERSION || (command !== LOCAL && command !== PROXY)) return INVALID
  if (familyAndTransport === undefined || bytes.length < FIXED_BYTES) return INCOMPLETE
  const byteLength = FIXED_BYTES + bytes.readUInt16BE(FIXED_BYTES - 2)
  if (byteLength > MAX_PROXY_HEADER_BYTES) return INVALID
  const family = familyAndTransport >> 4
  const transport = familyAndTransport & 0xf
  const addressBytes = ADDRESS_BYTES[family]
  if (command === PROXY && (family > MOST_FAMILY || transport > MOST_TRANSPORT || addressBytes === undefined)) return INVALID
  if (bytes.length < byteLength) return INCOMPLETE
  if (command === LOCAL || addressBytes === undefined) return { outcome: 'complete', byteLength, client: undefined }
  // With an unspecified transport the addresses need not be there.
  if (transport !== 0 && byteLength < FIXED_BYTES + addressBytes) return INVALID
  if (family === 0 || family === UNIX || transport !== STREAM) return { outcome: 'complete', byteLength, client: undefined }
  const tlvs = bytes.subarray(FIXED_BYTES + addressBytes, byteLength)
  if (!tlvsEnd(tlvs) || !isChecked(bytes.subarray(0, byteLength), tlvs)) return INVALID
  return { outcome: 'complete', byteLength, client: new ProxiedClient(Buffer.from(bytes.subarray(PROXY_SIGNATURE.length, byteLength))) }
}

/** Is the checksum right, if there is one? It covers the whole header, with zeros in its own place. */
function isChecked(header: Buffer, tlvs: Buffer): boolean {
  for (const [type, value] of readTlvs(tlvs)) {
    if (type !== CHECKSUM) continue
    if (value.length !== 4) return false
    const start = value.byteOffset - header.byteOffset
    const zeroed = Buffer.from(header)
    zeroed.fill(0, start, start + 4)
    return crc32c(zeroed) === value.readUInt32BE()
  }
  return true
}

/** RFC 4960, appendix B, bit by bit: few proxies send a checksum. */
export function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}
