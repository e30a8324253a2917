// The addresses that one client can choose from: an IPv4 address, or a network of IPv6, of which providers give each customer a /64 or more.

import { isIPv4, isIPv6 } from 'node:net'
import { trustedPeer } from '@switchyard/routing'

const GROUPS = 8
const GROUPS_OF_NETWORK = 4
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i
/** Of private networks (RFC 1918, RFC 4193), shared (RFC 6598), link-local, and loopback: balancers, proxies and gateways, which stand for many clients. */
const PRIVATE = [
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8'],
  ...['fc00::/7', 'fe80::/10', '::1/128'],
]

export const isPrivateAddress = trustedPeer(PRIVATE)

/** As text, such as `203.0.113.7` or `2001:db8:0:1::/64`. What is no address stays as it is. */
export function addressGroup(address: string): string {
  const [plain = ''] = address.split('%')
  const mapped = MAPPED.exec(plain)?.[1]
  if (mapped !== undefined) return mapped
  if (isIPv4(plain) || !isIPv6(plain)) return plain
  const [left = '', right] = plain.split('::')
  const before = left === '' ? [] : left.split(':')
  const after = right === undefined || right === '' ? [] : right.split(':')
  const zeros = right === undefined ? [] : new Array<string>(Math.max(0, GROUPS - before.length - after.length)).fill('0')
  const network = [...before, ...zeros, ...after].slice(0, GROUPS_OF_NETWORK)
  return `${network.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
