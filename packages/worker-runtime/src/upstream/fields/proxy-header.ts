// Writes the header of the PROXY protocol, version 2, for the client of a request (haproxy.org, "The PROXY protocol", §2.2).

import { isIPv4, isIPv6, type Socket } from 'node:net'
import { PROXY_SIGNATURE } from '@switchyard/handoff'

const VERSION_PROXY = 0x21
const VERSION_LOCAL = 0x20
const TCP4 = 0x11
const TCP6 = 0x21
const UNSPECIFIED = 0x00

type Addresses = { readonly [Name in 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort']?: Socket[Name] | undefined }

/** The header. A client without an address, such as one on a unix socket, gets a header of the proxy's own (LOCAL). */
export function proxyHeaderV2({ remoteAddress, remotePort = 0, localAddress, localPort = 0 }: Addresses): Buffer {
  const remote = addressBytes(remoteAddress)
  const local = addressBytes(localAddress)
  if (remote === undefined || local === undefined) return assemble(VERSION_LOCAL, UNSPECIFIED, Buffer.alloc(0))
  const isV4 = remote.length === 4 && local.length === 4
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(remotePort, 0)
  ports.writeUInt16BE(localPort, 2)
  const both = isV4 ? [remote, local] : [mapped(remote), mapped(local)]
  return assemble(VERSION_PROXY, isV4 ? TCP4 : TCP6, Buffer.concat([...both, ports]))
}

function assemble(command: number, family: number, body: Buffer): Buffer {
  const fixed = Buffer.from([command, family, 0, 0])
  fixed.writeUInt16BE(body.length, 2)
  return Buffer.concat([PROXY_SIGNATURE, fixed, body])
}

function addressBytes(address: string | undefined): Buffer | undefined {
  const text = address?.replace(/^::ffff:(?=\d+\.)/i, '').split('%', 1)[0]
  if (text === undefined) return undefined
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  return isIPv6(text) ? ipv6Bytes(text) : undefined
}

function ipv6Bytes(text: string): Buffer {
  const [left = '', right] = text.split('::')
  const words = (part: string): number[] => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  const [head, tail] = [words(left), words(right ?? '')]
  const all = right === undefined ? head : [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
  return Buffer.from(all.flatMap((word) => [word >> 8, word & 0xff]))
}

function mapped(address: Buffer): Buffer {
  return address.length === 16 ? address : Buffer.concat([Buffer.alloc(10), Buffer.from([0xff, 0xff]), address])
}
