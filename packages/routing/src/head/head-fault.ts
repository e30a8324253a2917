// Finds where the reading of a faulty head stopped, for people. It reads the head again, so it is for single heads, never for each connection.

import { faultInMessage } from './client-hello.ts'
import { type HeadScan, scanHead } from './head-scan.ts'

export interface HeadFault {
  /** Of the byte at which reading stopped; the number of bytes if there was no next one. */
  readonly offset: number
  /** One phrase for people. */
  readonly why: string
}

const CR = 0x0d
const LF = 0x0a

/** `maxBytes`: the bound on a head. Undefined: the head is complete and has no fault. */
export function headFault(bytes: Uint8Array, length: number, maxBytes: number): HeadFault | undefined {
  const end = Math.min(length, maxBytes, bytes.length)
  const scan = scanHead(bytes, end)
  if (scan.protocol === 'tls') return helloFault(bytes, end, maxBytes, scan)
  if (scan.protocol === 'http/2') return undefined
  if (isFaulty(scan)) return faultWithin(bytes, end)
  if (scan.outcome === 'complete') return undefined
  return end >= maxBytes
    ? { offset: end, why: `the head does not end within ${maxBytes} bytes` }
    : { offset: end, why: 'the head is incomplete' }
}

function helloFault(bytes: Uint8Array, end: number, maxBytes: number, { outcome }: HeadScan): HeadFault | undefined {
  if (outcome === 'complete') return undefined
  if (outcome === 'incomplete')
    return { offset: end, why: end >= maxBytes ? `the ClientHello does not end within ${maxBytes} bytes` : 'the ClientHello is incomplete' }
  const inMessage = faultInMessage(bytes, end)
  if (inMessage !== undefined) return { offset: inMessage, why: 'the ClientHello is malformed here' }
  const faulty = firstFaulty(end, (prefix) => scanHead(bytes, prefix).outcome === 'not-http')
  return { offset: faulty - 1, why: 'this is no TLS record of a ClientHello, or one that is too long' }
}

/** The scan goes from left to right, so a faulty prefix stays faulty with more bytes, and the shortest one ends with the byte at fault. */
function faultWithin(bytes: Uint8Array, end: number): HeadFault {
  const faulty = firstFaulty(end, (prefix) => isFaulty(scanHead(bytes, prefix)))
  return describe(bytes, faulty, scanHead(bytes, faulty))
}

/** The length of the shortest faulty prefix. `end`: of one that is faulty. */
function firstFaulty(end: number, isFaultyPrefix: (length: number) => boolean): number {
  let good = 0
  let faulty = end
  while (faulty - good > 1) {
    const middle = (good + faulty) >>> 1
    if (isFaultyPrefix(middle)) faulty = middle
    else good = middle
  }
  return faulty
}

function isFaulty({ outcome, protocol, ambiguous }: HeadScan): boolean {
  return ambiguous || (outcome === 'not-http' && protocol === 'unknown')
}

/** `end`: behind the byte at fault. */
function describe(bytes: Uint8Array, end: number, scan: HeadScan): HeadFault {
  const offset = end - 1
  const byte = bytes[offset] as number
  if (scan.outcome === 'not-http') {
    const part = scan.methodEnd === 0 ? 'method' : scan.targetEnd === 0 ? 'target' : 'version'
    return { offset, why: `the request line is not HTTP/1: its ${part} can't contain this byte` }
  }
  if (scan.hasManyHosts) return { offset: scan.fields[scan.fields.length - 2] as number, why: 'the head has more than one Host field' }
  if (byte === LF && bytes[offset - 1] !== CR) return { offset, why: 'a line ends with LF without CR' }
  if (scan.outcome === 'complete') return { offset: scan.targetStart, why: 'the target is no path, no URL and no authority' }
  if (bytes[offset - 1] === CR) return { offset: offset - 1, why: 'CR without LF' }
  if (byte < 0x20 || byte === 0x7f) return { offset, why: 'a field contains a control byte' }
  return { offset, why: 'a field line has no name that ends with a colon' }
}
