// The fields of a proxied request: those of the client without the ones of its connection, then what the proxy says of the client.

import type { IncomingMessage } from 'node:http'
import { isSecure } from '../../server/secure-request.ts'
import { connectionOptions, isClientField, isDisguised, isHopByHop } from './hop-fields.ts'

/** Proxies behind each other, each of which adds to `Via`. More of the same are a loop. */
const MAX_VIA = 8

/** A name or an address, and a port. Servers read anything else in different ways. */
const AUTHORITY = /^(\[[\da-f:.]+\]|[\w.~%!$&'()*+;=-]+)(:\d{0,5})?$/i

/** Fields of which servers read the first or the last. */
const SINGLE = new Set(['authorization', 'range', 'if-range', 'content-range', 'content-type'])

export interface ClientFieldOptions {
  /** Written to `Via`. */
  readonly pseudonym: string
  /** May this peer say who its client is? undefined: a peer on a unix socket. */
  readonly trusts: (address: string | undefined) => boolean
  readonly trustedProxies: readonly string[]
  readonly stripPrefix: string | undefined
}

/** Why a request is not passed on. */
export type FieldRefusal = { readonly status: 400 | 405 | 501 | 508; readonly reason: string }

/** What is the same for every server: all fields but Host. */
export interface ProxiedFields {
  readonly fields: readonly string[]
  readonly host: string
}

/**
 * The fields for the upstream server, or why it must not have the request. `authority`: of a target in absolute form, which overrides Host (RFC 9112 §3.2.2).
 * `isUpgrade`: the upgrade is passed on.
 */
export function proxiedFields(
  request: IncomingMessage,
  authority: string | undefined,
  isUpgrade: boolean,
  options: ClientFieldOptions,
): ProxiedFields | FieldRefusal {
  const { headers, rawHeaders, httpVersion, method } = request
  const coding = headers['transfer-encoding']
  if (coding !== undefined) {
    // The parser has removed chunks alone.
    if (coding.trim().toLowerCase() !== 'chunked') return { status: 501, reason: `unknown transfer coding` }
    if (headers['content-length'] !== undefined || httpVersion !== '1.1') return { status: 400, reason: 'ambiguous length' }
  }
  const via = headers.via ?? ''
  if (via.includes(options.pseudonym) && via.split(options.pseudonym).length > MAX_VIA) return { status: 508, reason: 'loop' }

  const isTrusted = options.trusts(request.socket.remoteAddress)
  const connection = connectionOptions(headers.connection)
  const fields: string[] = []
  const single = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const lower = name.toLowerCase()
    if (lower === 'host' || lower === 'via' || isHopByHop(lower, connection) || isDisguised(lower) || isClientField(lower)) continue
    // Before HTTP/1.1 the field means nothing, and the server would obey it.
    if (lower === 'expect' && httpVersion !== '1.1') continue
    if (lower === 'trailer' && coding === undefined) continue
    if (SINGLE.has(lower)) {
      if (single.has(lower)) return { status: 400, reason: `two fields ${name}` }
      single.add(lower)
    }
    fields.push(name, rawHeaders[at + 1] as string)
  }
  const host = authority ?? headers.host ?? ''
  // HTTP/1.0 clients may leave it out.
  if (!AUTHORITY.test(host) && (host !== '' || httpVersion === '1.1' || headers.host !== undefined))
    return { status: 400, reason: 'bad Host' }
  addClientFields(fields, request, host, isTrusted, options)
  fields.push('Via', `${via === '' ? '' : `${via}, `}${httpVersion} ${options.pseudonym}`)
  if (isUpgrade) fields.push('Connection', 'Upgrade', 'Upgrade', headers.upgrade as string)
  else if (coding !== undefined) fields.push('Transfer-Encoding', 'chunked')
  // Without a length Node's client would add chunks.
  else if (headers['content-length'] === undefined && method !== 'GET' && method !== 'HEAD') fields.push('Content-Length', '0')
  return { fields, host }
}

/** From a trusted proxy they are continued, from any other peer replaced. */
function addClientFields(
  fields: string[],
  request: IncomingMessage,
  host: string,
  isTrusted: boolean,
  { stripPrefix, trustedProxies }: ClientFieldOptions,
): void {
  const { headers, rawHeaders, socket } = request
  const given = (name: string): string | undefined => (isTrusted ? (headers[name] as string | undefined) : undefined)
  const address = plainAddress(socket.remoteAddress)
  const proto = isSecure(request, trustedProxies) ? 'https' : 'http'
  const hops = given('x-forwarded-for')
  fields.push('X-Forwarded-For', join(hops, address ?? 'unknown'))
  fields.push('X-Forwarded-Proto', given('x-forwarded-proto') ?? proto)
  fields.push('X-Forwarded-Host', given('x-forwarded-host') ?? host)
  const prefix = given('x-forwarded-prefix') ?? stripPrefix
  if (prefix !== undefined) fields.push('X-Forwarded-Prefix', prefix)
  if (isTrusted) {
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const lower = (rawHeaders[at] as string).toLowerCase()
      if (/^x-(forwarded-(port|server|ssl|scheme)|real-ip)$/.test(lower))
        fields.push(rawHeaders[at] as string, rawHeaders[at + 1] as string)
    }
  }
  fields.push('Forwarded', join(given('forwarded'), `for=${nodeOf(address)};host=${quoted(host)};proto=${proto}`))
}

function join(before: string | undefined, own: string): string {
  return before === undefined || before === '' ? own : `${before}, ${own}`
}

/** Node writes IPv4 clients of an IPv6 listener as mapped addresses. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') === true && address.includes('.') ? address.slice(7) : address
}

/** RFC 7239 §6: IPv6 in brackets and quotes. */
function nodeOf(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  return address.includes(':') ? `"[${address.split('%', 1)[0]}]"` : address
}

function quoted(value: string): string {
  return /^[!#$%&'*+.^_`|~\w-]+$/.test(value) ? value : `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}
