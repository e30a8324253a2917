// The target of a proxied request: in origin form (RFC 9112 §3.2.1), with the pool's prefix removed or added. Nothing else of it changes. And the Host that goes
// with it.

import type { UpstreamAddress, UpstreamStart } from '../../upstream-start.ts'

const DEFAULT_PORTS = { http: 80, https: 443 }
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i

export interface Prefixes {
  readonly strip: string | undefined
  readonly add: string | undefined
}

/** `%` without two digits, and NUL. Servers read them in different ways. */
const BAD_TRIPLET = /%(?![\da-f]{2})|%00/i

/** The target for the upstream server, and the authority of a target in absolute form. undefined: no server may have this target. */
export function upstreamTarget(
  method: string | undefined,
  url: string,
  { strip, add }: Prefixes,
): { target: string; authority: string | undefined } | undefined {
  if (url === '*') return method === 'OPTIONS' ? { target: url, authority: undefined } : undefined
  const [begin, authority] = ABSOLUTE.exec(url) ?? []
  let target = begin === undefined ? url : url.slice(begin.length)
  if (target === '' || target.startsWith('?')) target = `/${target}`
  if (!target.startsWith('/')) return undefined
  if (strip !== undefined && target.startsWith(strip) && /^([/?]|$)/.test(target.slice(strip.length, strip.length + 1))) {
    target = target.slice(strip.length)
    if (!target.startsWith('/')) target = `/${target}`
  }
  const path = target.split(/[?#]/, 1)[0] as string
  if (BAD_TRIPLET.test(path) || leavesRoot(path)) return undefined
  if (add !== undefined) target = add + target
  return { target, authority }
}

/** Do dot segments lead above the first slash? With a prefix in front they would lead out of it. A server may read `\\` and encoded forms as slashes and dots. */
function leavesRoot(path: string): boolean {
  if (!/\.|%2e/i.test(path)) return false
  let depth = 0
  for (const segment of path
    .replaceAll(/%2e/gi, '.')
    .replaceAll(/%2f|%5c|\\/gi, '/')
    .slice(1)
    .split('/')) {
    // Parameters of a segment (`..;a`) are cut off by some servers.
    const name = segment.split(';', 1)[0]
    if (name === '..') depth--
    else if (name !== '.' && name !== '') depth++
    if (depth < 0) return true
  }
  return false
}

/** The Host for a server: that of the client, or the server's own. */
export function hostFor(server: UpstreamAddress, kept: UpstreamStart['host'], host: string): string {
  return kept === 'keep' && host !== '' ? host : hostOf(server)
}

/** A server's own name, with the port if it is not the protocol's. */
export function hostOf({ protocol, host, port, path }: UpstreamAddress): string {
  if (path !== undefined || host === undefined) return 'localhost'
  const name = host.includes(':') ? `[${host}]` : host
  return port === undefined || port === DEFAULT_PORTS[protocol] ? name : `${name}:${port}`
}
