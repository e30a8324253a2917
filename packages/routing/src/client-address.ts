// Finds the client's address behind trusted proxies: the right-most hop of X-Forwarded-For that isn't a trusted proxy. The hops left of it
// are unproven claims.

import ipaddr from 'ipaddr.js'
import type { RequestHead } from './head/request-head.ts'
import { dataKey, type KeySource } from './keys.ts'
import type { ClientAddressOptions } from './policy-data.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = readonly [Address, number]

const MAX_HOPS = 64

/** The client's address as a key, in one form: IPv4-mapped IPv6 counts as IPv4. Throws TypeError for a trusted proxy that is no address or CIDR. */
export function clientAddress(options: ClientAddressOptions = {}): KeySource {
  const trusted = options.trustedProxies ?? []
  const ranges = trusted.filter((text) => text !== 'unix').map(parseRange)
  const trustsUnix = trusted.includes('unix')
  const field = options.header ?? 'x-forwarded-for'

  function find(head: RequestHead): string | undefined {
    const peer = head.remoteAddress
    // The kernel writes IPv4 in one form only.
    if (ranges.length === 0 && peer !== undefined && !peer.includes(':')) return peer
    const address = peer === undefined ? undefined : parseAddress(peer)
    if (address === undefined ? peer !== undefined || !trustsUnix : !isTrusted(address, ranges)) return address?.toString()
    return lastUntrusted(head.header(field) ?? '', ranges)?.toString() ?? address?.toString()
  }

  // In full, because another process may trust other proxies.
  const data = { trustedProxies: [...trusted], ...(options.header !== undefined && { header: options.header }) }
  return dataKey({ 'client-address': data }, 'client address', find)
}

/** Tests whether a peer is one of these proxies; an address of `undefined` is a peer on a unix socket. Throws as `clientAddress` does. */
export function trustedPeer(trustedProxies: readonly string[]): (address: string | undefined) => boolean {
  const ranges = trustedProxies.filter((text) => text !== 'unix').map(parseRange)
  const trustsUnix = trustedProxies.includes('unix')
  return (address) => {
    if (address === undefined) return trustsUnix
    const peer = parseAddress(address)
    return peer !== undefined && isTrusted(peer, ranges)
  }
}

/** Says what is wrong with a trusted proxy; `undefined` if nothing is. */
export function trustedProxyFault(text: string): string | undefined {
  return text === 'unix' || rangeIn(text) !== undefined ? undefined : "expected an address, a CIDR or 'unix'"
}

/** Walks the hops from the right. A hop that isn't an address ends the walk: nothing left of it can be trusted. */
function lastUntrusted(hops: string, ranges: readonly Range[]): Address | undefined {
  let last: Address | undefined
  let end = hops.length
  for (let hop = 0; hop < MAX_HOPS && end >= 0; hop++) {
    const comma = end === 0 ? -1 : hops.lastIndexOf(',', end - 1)
    const address = parseAddress(hops.slice(comma + 1, end).trim())
    if (address === undefined) return last
    last = address
    if (!isTrusted(address, ranges)) return last
    end = comma
  }
  return last
}

function isTrusted(address: Address, ranges: readonly Range[]): boolean {
  for (const [network, bits] of ranges) {
    if (network.kind() === address.kind() && address.match(network, bits)) return true
  }
  return false
}

/** Reads `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80` and `fe80::1%eth0`. The octal and short forms of ipaddr.js are refused. */
function parseAddress(text: string): Address | undefined {
  if (text.length > 64) return undefined
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? (/^[\d.]+:\d+$/.test(text) ? text.slice(0, text.indexOf(':')) : text)
  if (ipaddr.IPv4.isValidFourPartDecimal(bare)) return ipaddr.IPv4.parse(bare)
  const withoutZone = bare.includes('%') ? bare.slice(0, bare.indexOf('%')) : bare
  if (!withoutZone.includes(':') || !ipaddr.IPv6.isValid(withoutZone)) return undefined
  return ipaddr.process(withoutZone)
}

function parseRange(text: string): Range {
  const range = rangeIn(text)
  if (range === undefined) throw new TypeError(`trusted proxy '${text}': ${trustedProxyFault(text)}`)
  return range
}

function rangeIn(text: string): Range | undefined {
  const slash = text.indexOf('/')
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash))
  const isMapped = address?.kind() === 'ipv4' && text.includes(':')
  const most = address?.kind() === 'ipv4' ? 32 : 128
  const bits = slash === -1 ? most : Number(text.slice(slash + 1)) - (isMapped ? 96 : 0)
  return address === undefined || !/^[^/]+(\/\d{1,3})?$/.test(text) || bits < 0 || bits > most ? undefined : [address, bits]
}
