// Finds where a refused header of the PROXY protocol stopped being one, for people. The acceptor has judged it already; a test holds both together.

import { isIPv4, isIPv6 } from 'node:net'
import { MAX_PROXY_HEADER_BYTES, PROXY_SIGNATURE } from '@switchyard/handoff'
import type { HeadFault } from '@switchyard/routing'

const MISSING = 'the listener expects a PROXY protocol header from this address, and these bytes begin none'
const UNTRUSTED = 'a PROXY protocol header comes from an address that proxyProtocol.from does not name'
const OTHER = 'the PROXY protocol header is malformed'

/** Of version 1, with CRLF. */
const MAX_LINE_BYTES = 107
const FAMILIES = ['TCP4', 'TCP6', 'UNKNOWN']
const PARTS = ['source address', 'destination address', 'source port', 'destination port'] as const
const FIXED_BYTES = 16
/** Bytes of both addresses with their ports, by family. */
const ADDRESS_BYTES = [0, 12, 36, 216] as const
const MOST_TRANSPORT = 2
const STREAM = 1
const TLV_HEADER_BYTES = 3
const CHECKSUM = 0x03

/** `reason`: why the connection was refused. undefined: for another reason. */
export function proxyHeaderFault(reason: string, bytes: Buffer): HeadFault | undefined {
  switch (reason) {
    case 'proxy-header-missing':
      return { offset: 0, why: MISSING }
    case 'proxy-header-untrusted':
      return { offset: 0, why: UNTRUSTED }
    case 'proxy-header-invalid':
      return bytes[0] === PROXY_SIGNATURE[0] ? binaryFault(bytes) : lineFault(bytes.toString('latin1', 0, MAX_LINE_BYTES))
    default:
      return undefined
  }
}

/** Version 1, from left to right. `text` may go on behind the line. */
function lineFault(text: string): HeadFault {
  const lineEnd = text.indexOf('\n')
  const end = lineEnd === -1 ? text.length : lineEnd
  if (text[5] !== ' ') return fault(5, 'no space follows PROXY')
  let at = 6
  const next = (): string => /^[^ \r\n]*/.exec(text.slice(at, end))?.[0] ?? ''
  const family = next()
  if (!FAMILIES.includes(family)) return fault(at, 'the protocol is none of TCP4, TCP6 and UNKNOWN')
  at += family.length
  if (family === 'UNKNOWN') {
    const bareCr = text.indexOf('\r')
    return lineEnd === -1 ? tooLong(end) : bareCr !== -1 && bareCr < end - 1 ? fault(bareCr, 'CR without LF') : fault(end, 'LF without CR')
  }
  for (const part of PARTS) {
    if (text[at] !== ' ' || at >= end) return at >= MAX_LINE_BYTES ? tooLong(at) : fault(at, `no space is before the ${part}`)
    at++
    const value = next()
    const isRight = part.endsWith('port') ? isPort(value) : isAddressOf(family, value)
    if (!isRight) return fault(at, `the ${part} is not one of ${family}`)
    at += value.length
  }
  if (text[at] !== '\r') return at >= MAX_LINE_BYTES ? tooLong(at) : fault(at, 'no CRLF follows the destination port')
  return at + 1 >= MAX_LINE_BYTES ? tooLong(at + 1) : fault(at + 1, 'CR without LF')
}

function isAddressOf(family: string, value: string): boolean {
  return family === 'TCP4' ? isIPv4(value) : isIPv6(value) && !value.includes('%')
}

function isPort(value: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(value) && Number(value) <= 65_535
}

/** Version 2, from left to right. */
function binaryFault(bytes: Buffer): HeadFault {
  const [versionAndCommand = 0, familyAndTransport = 0] = bytes.subarray(PROXY_SIGNATURE.length)
  if (versionAndCommand >> 4 !== 2) return fault(12, 'the version is not 2')
  if ((versionAndCommand & 0xf) > 1) return fault(12, 'the command is neither LOCAL nor PROXY')
  const end = FIXED_BYTES + bytes.readUInt16BE(14)
  const transport = familyAndTransport & 0xf
  const addressBytes = ADDRESS_BYTES[familyAndTransport >> 4]
  if (addressBytes === undefined) return fault(13, 'the address family is unknown')
  if (transport > MOST_TRANSPORT) return fault(13, 'the transport protocol is unknown')
  if (end > MAX_PROXY_HEADER_BYTES) return fault(14, `the header has more than ${MAX_PROXY_HEADER_BYTES} bytes`)
  if (end < FIXED_BYTES + addressBytes) return fault(14, 'the length is too small for the addresses')
  if (transport !== STREAM) return fault(0, OTHER)
  return valueFault(bytes, FIXED_BYTES + addressBytes, end)
}

/** The values (TLVs) behind the addresses. */
function valueFault(bytes: Buffer, start: number, end: number): HeadFault {
  let checksum: number | undefined
  for (let at = start; at < end; ) {
    const next = at + TLV_HEADER_BYTES + (at + TLV_HEADER_BYTES <= end ? bytes.readUInt16BE(at + 1) : 0)
    if (next > end) return fault(at, 'a value (TLV) reaches beyond the end of the header')
    if (bytes[at] === CHECKSUM) checksum ??= at
    at = next
  }
  return checksum === undefined ? fault(0, OTHER) : fault(checksum, 'the checksum (CRC32C) is wrong')
}

function tooLong(offset: number): HeadFault {
  return fault(offset, `the line does not end within ${MAX_LINE_BYTES} bytes`)
}

function fault(offset: number, why: string): HeadFault {
  return { offset, why: why === OTHER ? why : `the PROXY protocol header is malformed: ${why}` }
}
