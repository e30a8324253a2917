// Headers of the PROXY protocol for tests: a writer, random and damaged ones, and a second reader that shares no code with the real one.

import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { seededRandom } from '../../../../../test/support/random.ts'
import { readProxyHeader } from '../../../src/acceptor/proxy-header.ts'

export interface HeaderParts {
  readonly command?: number
  readonly family?: number
  readonly source?: string
  readonly destination?: string
  readonly ports?: readonly [source: number, destination: number]
  readonly tlvs?: readonly (readonly [type: number, value: Buffer | string])[]
  /** Instead of the true length. */
  readonly length?: number
}

export const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'

/** A header of version 2. Default: PROXY, TCP over IPv4. */
export function binaryHeader(parts: HeaderParts = {}): Buffer {
  const { command = 0x21, source = '192.0.2.1', destination = '198.51.100.2', ports = [40_000, 443], tlvs = [] } = parts
  const isV6 = source.includes(':')
  const { family = isV6 ? 0x21 : 0x11, length } = parts
  const address = isV6 ? bytesOfV6 : (text: string) => Buffer.from(text.split('.').map(Number))
  const body = Buffer.concat([address(source), address(destination), word(ports[0]), word(ports[1]), ...tlvs.map(tlv)])
  return Buffer.concat([
    Buffer.from(SIGNATURE, 'latin1'),
    Buffer.from([command, family]),
    word(length ?? (family === 0 ? 0 : body.length)),
    family === 0 ? Buffer.alloc(0) : body,
  ])
}

export function tlv([type, value]: readonly [type: number, value: Buffer | string]): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([type]), word(bytes.length), bytes])
}

function word(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

function bytesOfV6(text: string): Buffer {
  const [left = '', right] = text.split('::')
  const groups = (half: string) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16)))
  const [before, after] = [groups(left), groups(right ?? '')]
  return Buffer.concat([...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after].map(word))
}

/** What a reader found: `none`, `invalid`, `incomplete`, or the length of the header and the client. */
export type Found = string

/** What the real reader finds. */
export function foundIn(bytes: Buffer): Found {
  const header = readProxyHeader(bytes, bytes.length)
  if (header.outcome !== 'complete') return header.outcome
  const { byteLength, client } = header
  if (client === undefined) return `${byteLength} local`
  const { remoteAddress, remotePort, localAddress, localPort, tlvs } = client
  return `${byteLength} ${uniform(remoteAddress)} ${remotePort} ${uniform(localAddress)} ${localPort} ${tlvs.toString('hex')}`
}

/** The same by a reader of the specification's text that works on strings of hex digits and characters. */
export function foundBySecondReader(bytes: Buffer): Found {
  const text = bytes.toString('latin1')
  if (SIGNATURE.startsWith(text) || text.startsWith(SIGNATURE)) return secondBinary(bytes.toString('hex'))
  if ('PROXY'.startsWith(text)) return 'incomplete'
  return text.startsWith('PROXY') ? secondLine(text) : 'none'
}

function secondLine(text: string): Found {
  const [line = ''] = text.slice(0, 107).split('\n', 1)
  if (line.length === Math.min(text.length, 107)) return text.length < 107 ? 'incomplete' : 'invalid'
  if (!line.endsWith('\r') || line.indexOf('\r') !== line.length - 1) return 'invalid'
  const words = line.slice(0, -1).split(' ')
  const length = line.length + 1
  if (words[0] === 'PROXY' && words[1] === 'UNKNOWN') return `${length} local`
  const [word, family, source = '', destination = '', ...ports] = words
  const isAddress = { TCP4: isIPv4, TCP6: (address: string) => isIPv6(address) && !address.includes('%') }[family ?? '']
  if (word !== 'PROXY' || isAddress === undefined || !isAddress(source) || !isAddress(destination) || ports.length !== 2) return 'invalid'
  if (!ports.every((port) => String(Number(port)) === port && Number(port) >= 0 && Number(port) < 65_536 && /^\d+$/.test(port)))
    return 'invalid'
  return `${length} ${uniform(source)} ${ports[0]} ${uniform(destination)} ${ports[1]} `
}

function secondBinary(hex: string): Found {
  const at = (byte: number, count = 1) => hex.slice(byte * 2, (byte + count) * 2)
  if (hex.length <= 24) return 'incomplete'
  if (!['20', '21'].includes(at(12))) return 'invalid'
  if (hex.length < 32) return 'incomplete'
  const end = 16 + Number(`0x${at(14, 2)}`)
  const isLocal = at(12) === '20'
  if (end > 4096 || (!isLocal && !/^[0-3][0-2]$/.test(at(13)))) return 'invalid'
  if (hex.length < end * 2) return 'incomplete'
  if (isLocal) return `${end} local`
  const [family = '', transport] = at(13)
  const start = 16 + ({ 0: 0, 1: 12, 2: 36, 3: 216 }[family] ?? 0)
  if (transport !== '0' && end < start) return 'invalid'
  if (transport !== '1' || family === '0' || family === '3') return `${end} local`
  const tlvs = at(start, end - start)
  for (let rest = tlvs; rest !== ''; ) {
    const length = Number(`0x${rest.slice(2, 6)}`)
    if (rest.length < 6 || rest.length < 6 + length * 2) return 'invalid'
    // Random headers have no right checksum, but for one in four billion.
    if (rest.startsWith('03')) return 'invalid'
    rest = rest.slice(6 + length * 2)
  }
  const size = family === '1' ? 4 : 16
  const address = (from: number) =>
    uniform(size === 4 ? Buffer.from(at(from, 4), 'hex').join('.') : (at(from, 16).match(/.{4}/g) as string[]).join(':'))
  const port = (from: number) => Number(`0x${at(from, 2)}`)
  return `${end} ${address(16)} ${port(start - 4)} ${address(16 + size)} ${port(start - 2)} ${tlvs}`
}

/** One text for all forms of an address. */
function uniform(address: string): string {
  return isIPv4(address) ? address : new SocketAddress({ address, family: 'ipv6' }).address
}

/** Random headers, most of them damaged, that follow from a seed. */
export function* randomHeaders(seed: number, count: number): Generator<Buffer> {
  const random = seededRandom(seed)
  const below = (most: number) => Math.floor(random() * most)
  const oneOf = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const v4 = () => [below(256), below(256), below(256), below(256)].join('.')
  const v6 = () => {
    const groups = Array.from({ length: 8 }, () => (random() < 0.4 ? 0 : below(65_536)).toString(16))
    const text = groups.join(':')
    const mixed = random()
    if (mixed < 0.4) return text.replace(/(?:^|:)0(?::0)+(?:$|:)/, '::')
    return mixed < 0.5 ? `::ffff:${v4()}` : mixed < 0.6 ? text.toUpperCase() : text
  }
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => below(256)))
  const line = () => {
    const family = oneOf(['TCP4', 'TCP4', 'TCP6', 'TCP6', 'UNKNOWN', 'UDP4', 'TCP'])
    const address = random() < 0.95 === (family !== 'TCP6') ? v4 : v6
    const end = random() < 0.95 ? '\r\n' : oneOf(['\n', '\r', '', '\n\r'])
    if (family === 'UNKNOWN' && random() < 0.5) return Buffer.from(`PROXY UNKNOWN${end}`)
    return Buffer.from(`PROXY ${family} ${address()} ${address()} ${below(70_000)} ${random() < 0.9 ? below(65_536) : '080'}${end}`)
  }
  const binary = () => {
    const [source, destination] = random() < 0.5 ? [v4(), v4()] : ['2001:db8::1', 'fe80::12']
    const tlvs = Array.from({ length: below(4) }, () => [below(256), bytes(below(random() < 0.1 ? 1_500 : 40))] as const)
    return binaryHeader({
      ...{ source, destination, tlvs, ports: [below(65_536), below(65_536)] },
      command: oneOf([0x21, 0x21, 0x21, 0x20, 0x22, 0x11]),
      ...(random() < 0.2 && { family: below(256) }),
      ...(random() < 0.2 && { length: below(300) }),
    })
  }
  const damaged = (header: Buffer): Buffer => {
    const place = below(header.length)
    const kind = below(5)
    if (kind === 0) return header.subarray(0, place)
    if (kind === 1) return Buffer.concat([header.subarray(0, place), bytes(1), header.subarray(place)])
    if (kind === 2) return Buffer.concat([header.subarray(0, place), header.subarray(place + 1)])
    const copy = Buffer.from(header)
    copy[place] = kind === 3 ? below(256) : oneOf([0x20, 0x0d, 0x0a, 0x30, 0x3a, 0x2e, 0])
    return copy
  }
  for (let made = 0; made < count; made++) {
    let header = random() < 0.5 ? line() : binary()
    for (let round = below(3); round > 0 && header.length > 0; round--) header = damaged(header)
    yield random() < 0.5 ? header : Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')])
  }
}

/** Counts what both readers find in random headers, by kind. Throws for the first header on which they differ. */
export function compareReaders(seed: number, count: number): Record<string, number> {
  const kinds: Record<string, number> = {}
  for (const header of randomHeaders(seed, count)) {
    const [one, other] = [foundIn(header), foundBySecondReader(header)]
    if (one !== other) throw new Error(`${JSON.stringify(header.toString('latin1'))}: ${one}, but the second reader finds ${other}`)
    const kind = /^\d/.test(one) ? (one.endsWith(' local') ? 'local' : 'proxied') : one
    kinds[kind] = (kinds[kind] ?? 0) + 1
  }
  return kinds
}
