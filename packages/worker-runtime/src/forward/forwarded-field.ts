// The field that a worker adds to a forwarded request. It stands behind the client's own fields, so everything from it on was added by us:
//
//   switchyard-forwarded: <token> request|tunnel|probe <HTTP version> tls|plain <remote address> <port> <local address> <port> [<proxied>]
//   switchyard-began: <when the forward began, in µs of the monotonic clock; only when the app records traces>
//   switchyard-withheld: <place among the client's fields> <name> <value>
//
// `proxied` is what a proxy said of the client by the PROXY protocol, in base64url.

import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { ProxiedClient, proxiedOf } from '@switchyard/handoff'
import { beforeNodeEncodes, isField } from './raw-fields.ts'

const FORWARDED = 'switchyard-forwarded'
const BEGAN = 'switchyard-began'
const WITHHELD = 'switchyard-withheld'
const UNKNOWN = '-'

/** A single request, a connection that serves one client from now on, or a health probe of the primary. */
export type ForwardKind = 'request' | 'tunnel' | 'probe'

/** `streams`: not by the field, but by the first line of a connection of HTTP/2. */
export type FactsKind = ForwardKind | 'streams'

/** What the field says of the client. */
export interface ClientFacts {
  /** The field as received, for comparison. */
  readonly text: string
  readonly kind: FactsKind
  readonly httpVersion: string
  readonly encrypted: boolean
  readonly isHttp2: boolean
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly proxied: ProxiedClient | undefined
}

const addressesKey = Symbol('switchyard.addresses')

interface ClientSocket extends Socket {
  readonly encrypted?: boolean
  /** The words of the field from `tls|plain` on, the same for all requests of a connection. */
  [addressesKey]?: string
}

/** The client's fields and the added ones, for a request that Node's client writes. `beganUs`: when the forward began; left out: it is not passed on. */
export function fieldsOf(request: IncomingMessage, token: string, beganUs?: number): string[] {
  const { headers, rawHeaders, method } = request
  const fields = withheldFrom(request)
  const added = fields === undefined ? [] : fields.withheld
  // Without a length, Node's client would add `Transfer-Encoding: chunked`. Without Host, the other server would refuse HTTP/1.1.
  const hasLength = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  if (!hasLength && method !== 'GET' && method !== 'HEAD') added.push('Content-Length', '0')
  if (headers.host === undefined) added.push('Host', UNKNOWN)
  if (beganUs !== undefined) added.push(BEGAN, String(beganUs))
  const own = fields?.kept ?? rawHeaders
  return (headers['content-disposition'] === undefined ? own : [...beforeNodeEncodes(own)]).concat(
    FORWARDED,
    fieldValue(request, token, 'request'),
    added,
  )
}

/** The whole head of a request for a tunnel. */
export function headOf(request: IncomingMessage, token: string): string {
  const { rawHeaders, method, url, httpVersion } = request
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let at = 0; at < rawHeaders.length; at += 2) head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`
  return `${head}${FORWARDED}: ${fieldValue(request, token, 'tunnel')}\r\n\r\n`
}

/** The field of a probe, which the primary adds last. The app sees a client on this machine. */
export function probeField(token: string): [name: string, value: string] {
  return [FORWARDED, `${token} probe 1.1 plain 127.0.0.1 ${UNKNOWN} 127.0.0.1 ${UNKNOWN}`]
}

/** The index of our field among the raw fields; negative if there is none. */
export function placeOfField(rawHeaders: readonly string[]): number {
  let at = rawHeaders.length - 2
  while (at >= 0 && rawHeaders[at] !== FORWARDED) at -= 2
  return at
}

/** Parses the field; undefined without the right token. `last`: the previous facts on this connection, which are often the same. */
export function readField(value: string, token: Buffer, last: ClientFacts | undefined): ClientFacts | undefined {
  const given = Buffer.from(value.slice(0, token.length), 'latin1')
  if (given.length !== token.length || !timingSafeEqual(given, token)) return undefined
  const text = value.slice(token.length)
  if (text === last?.text) return last
  const [gap, kind, httpVersion, security, remoteAddress, remotePort, localAddress, localPort, packed] = text.split(' ')
  if (gap !== '' || !isKind(kind) || httpVersion === undefined || localPort === undefined) return undefined
  return {
    text,
    kind,
    httpVersion,
    encrypted: security === 'tls',
    isHttp2: false,
    remoteAddress: known(remoteAddress),
    remotePort: portOf(remotePort),
    localAddress: known(localAddress),
    localPort: portOf(localPort),
    proxied: packed === undefined ? undefined : ProxiedClient.unpack(Buffer.from(packed, 'base64url')),
  }
}

/** When the forward began, in µs of the monotonic clock; undefined: the other worker has not said it. `added`: all fields behind the client's own. */
export function beganOf(added: readonly string[]): number | undefined {
  for (let at = 0; at < added.length; at += 2) if (added[at] === BEGAN) return Number(added[at + 1])
  return undefined
}

/** Restores withheld fields; true if there were any. `added`: all fields behind the client's own. */
export function restoreWithheld(rawHeaders: string[], added: readonly string[]): boolean {
  let any = false
  for (let at = 0; at < added.length; at += 2) {
    if (added[at] !== WITHHELD) continue
    const [, place = '', name = '', value = ''] = /^(\d+) (\S+) (.*)$/s.exec(added[at + 1] as string) ?? []
    rawHeaders.splice(Number(place), 0, name, value)
    any = true
  }
  return any
}

function fieldValue(request: IncomingMessage, token: string, kind: ForwardKind): string {
  const socket = request.socket as ClientSocket
  let addresses = socket[addressesKey]
  if (addresses === undefined) {
    const { encrypted, remoteAddress, remotePort, localAddress, localPort } = socket
    const words = [remoteAddress, remotePort, localAddress, localPort].map((word) => word ?? UNKNOWN)
    const proxied = proxiedOf(socket)
    if (proxied !== undefined) words.push(proxied.packed.toString('base64url'))
    addresses = `${encrypted === true ? 'tls' : 'plain'} ${words.join(' ')}`
    socket[addressesKey] = addresses
  }
  return `${token} ${kind} ${request.httpVersion} ${addresses}`
}

/**
 * Withholds fields that mean nothing in the client's request, but would mean something between the workers: `Expect` in HTTP/1.0, which the other
 * server would obey, and `Trailer` without chunks, which Node's client refuses to send. They are rare.
 */
function withheldFrom({ headers, rawHeaders, httpVersion }: IncomingMessage): { kept: string[]; withheld: string[] } | undefined {
  const expect = headers.expect !== undefined && httpVersion !== '1.1'
  const trailer = headers.trailer !== undefined && !/\bchunked\b/i.test(headers['transfer-encoding'] ?? '')
  if (!expect && !trailer) return undefined
  const kept: string[] = []
  const withheld: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const value = rawHeaders[at + 1] as string
    if ((expect && isField(name, 'expect')) || (trailer && isField(name, 'trailer'))) withheld.push(WITHHELD, `${at} ${name} ${value}`)
    else kept.push(name, value)
  }
  return { kept, withheld }
}

function isKind(word: string | undefined): word is ForwardKind {
  return word === 'request' || word === 'tunnel' || word === 'probe'
}

function known(word: string | undefined): string | undefined {
  return word === UNKNOWN ? undefined : word
}

function portOf(word: string | undefined): number | undefined {
  return word === UNKNOWN ? undefined : Number(word)
}
