// The fields of a proxied request: those of the client without the ones of its connection, then what the proxy says of the client.

import type { IncomingMessage } from 'node:http'
import { isSecure } from '../../server/secure-request.ts'
import { type FieldKind, kindOf } from './field-kinds.ts'
import { connectionOptions } from './hop-fields.ts'

/** Proxies behind each other, each of which adds to `Via`. More of the same are a loop. */
const MAX_VIA = 8

/**
 * Fields of one request. Servers have limits of their own, and Node's hides what is behind the first 1,000 without an error: a client could hide what the
 * proxy says of it.
 */
const MAX_FIELDS = 500

/** A name or an address, and a port. Servers read anything else in different ways. */
const AUTHORITY = /^(\[[\da-f:.]+\]|[\w.~%!$&'()*+;=-]+)(:\d{0,5})?$/i

/** Fields of the connection, and those that the proxy writes. */
const NEVER_COPIED: ReadonlySet<FieldKind> = new Set(['host', 'via', 'connection', 'keep-alive', 'transfer-encoding'])

export interface ClientFieldOptions {
  /** Written to `Via`. */
  readonly pseudonym: string
  /** May this peer say who its client is? undefined: a peer on a unix socket. */
  readonly trusts: (address: string | undefined) => boolean
  readonly trustedProxies: readonly string[]
  readonly stripPrefix: string | undefined
}

/** Why a request is not passed on. */
export type FieldRefusal = { readonly status: 400 | 405 | 431 | 501 | 508; readonly reason: string }

/** Other balancers in a chain have other names, so a request that has passed this one often is in a loop. */
export function pseudonymOf(pool: string): string {
  return `switchyard-${pool}`
}

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
  if (rawHeaders.length > 2 * MAX_FIELDS) return { status: 431, reason: 'too many fields' }
  const coding = headers['transfer-encoding']
  if (coding !== undefined) {
    // The parser has removed chunks alone.
    if (coding.trim().toLowerCase() !== 'chunked') return { status: 501, reason: `unknown transfer coding` }
    if (headers['content-length'] !== undefined || httpVersion !== '1.1') return { status: 400, reason: 'ambiguous length' }
  }
  const via = headers.via ?? ''
  if (via.includes(options.pseudonym) && via.split(options.pseudonym).length > MAX_VIA) return { status: 508, reason: 'loop' }

  const address = plainAddress(request.socket.remoteAddress)
  const isTrusted = options.trusts(request.socket.remoteAddress)
  const connection = connectionOptions(headers.connection)
  const fields: string[] = []
  let single: Set<string> | undefined
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const kind = kindOf(name)
    if (kind !== 'plain') {
      if (kind === 'hop' || kind === 'client' || NEVER_COPIED.has(kind)) continue
      // Before HTTP/1.1 the field means nothing, and the server would obey it.
      if (kind === 'expect' && httpVersion !== '1.1') continue
      if (kind === 'trailer' && coding === undefined) continue
      // A lenient parser accepts such names.
      if (kind === 'invalid') return { status: 400, reason: 'bad field' }
    }
    if (connection.size > 0 && connection.has(name.toLowerCase())) continue
    if (kind === 'single') {
      const lower = name.toLowerCase()
      single ??= new Set()
      if (single.has(lower)) return { status: 400, reason: `two fields ${name}` }
      single.add(lower)
    }
    fields.push(name, rawHeaders[at + 1] as string)
  }
  const host = authority ?? headers.host ?? ''
  // HTTP/1.0 clients may leave it out.
  if (!AUTHORITY.test(host) && (host !== '' || httpVersion === '1.1' || headers.host !== undefined))
    return { status: 400, reason: 'bad Host' }
  const proto = isSecure(request, options.trustedProxies) ? 'https' : 'http'
  if (isTrusted) continueClientFields(fields, request, { address, host, proto }, options)
  else for (const text of clientFields({ address, host, proto }, options)) fields.push(text)
  fields.push('Via', `${via === '' ? '' : `${via}, `}${httpVersion} ${options.pseudonym}`)
  if (isUpgrade) fields.push('Connection', 'Upgrade', 'Upgrade', headers.upgrade as string)
  else if (coding !== undefined) fields.push('Transfer-Encoding', 'chunked')
  // Without a length Node's client would add chunks.
  else if (headers['content-length'] === undefined && method !== 'GET' && method !== 'HEAD') fields.push('Content-Length', '0')
  return { fields, host }
}

/** What the proxy knows of a client. */
interface Client {
  readonly address: string | undefined
  readonly host: string
  readonly proto: 'http' | 'https'
}

/** Clients send many requests from one address to one host. */
const remembered = new Map<string, readonly string[]>()
const MAX_REMEMBERED = 1000
const MAX_KEY_CHARS = 300

/** The fields for a client that is no trusted proxy. */
function clientFields(client: Client, { stripPrefix }: ClientFieldOptions): readonly string[] {
  const { address, host, proto } = client
  const key = `${proto} ${address} ${stripPrefix} ${host}`
  let fields = remembered.get(key)
  if (fields === undefined) {
    fields = [
      ...['X-Forwarded-For', address ?? 'unknown', 'X-Forwarded-Proto', proto, 'X-Forwarded-Host', host],
      ...(stripPrefix === undefined ? [] : ['X-Forwarded-Prefix', stripPrefix]),
      ...['Forwarded', forwardedOf(client)],
    ]
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    if (key.length <= MAX_KEY_CHARS) remembered.set(key, fields)
  }
  return fields
}

/** Continues what a trusted proxy says of its client. */
function continueClientFields(
  fields: string[],
  { headers, rawHeaders }: IncomingMessage,
  client: Client,
  { stripPrefix }: ClientFieldOptions,
): void {
  const given = (name: string): string | undefined => headers[name] as string | undefined
  fields.push('X-Forwarded-For', join(given('x-forwarded-for'), client.address ?? 'unknown'))
  fields.push('X-Forwarded-Proto', given('x-forwarded-proto') ?? client.proto)
  fields.push('X-Forwarded-Host', given('x-forwarded-host') ?? client.host)
  const prefix = given('x-forwarded-prefix') ?? stripPrefix
  if (prefix !== undefined) fields.push('X-Forwarded-Prefix', prefix)
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const lower = (rawHeaders[at] as string).toLowerCase()
    if (/^x-(forwarded-(port|server|ssl|scheme)|real-ip)$/.test(lower)) fields.push(rawHeaders[at] as string, rawHeaders[at + 1] as string)
  }
  fields.push('Forwarded', join(given('forwarded'), forwardedOf(client)))
}

/** RFC 7239. */
function forwardedOf({ address, host, proto }: Client): string {
  return `for=${nodeOf(address)};host=${quoted(host)};proto=${proto}`
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
