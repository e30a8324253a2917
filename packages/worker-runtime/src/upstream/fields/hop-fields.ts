// Which fields pass a proxy. Those of one connection are removed (RFC 9110 §7.6.1), and those that name the client are written by us alone.

import { isField } from '../../forward/raw-fields.ts'

/** Fields that describe one connection. `Trailer` describes the message and stays. */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade', 'http2-settings'])

/** Fields that `Connection` can't remove: without them the next server would read another request. */
const KEPT = new Set(['host', 'content-length', 'expect'])

/** Fields that say who the client is. They are believed from trusted proxies alone. */
const CLIENT_FIELDS = new Set([
  ...['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-server'],
  ...['x-forwarded-prefix', 'x-forwarded-ssl', 'x-forwarded-scheme', 'x-real-ip'],
])

/** Never in trailers: a server that merges trailers into the head would read another message (RFC 9110 §6.5.1). */
const NOT_IN_TRAILERS = new Set(['host', 'content-length', 'content-encoding', 'content-type', 'content-range', 'trailer', 'via'])

const NOTHING: ReadonlySet<string> = new Set()

/** Is the field about the client's identity? Servers that turn fields into variables read `_` as `-`. */
export function isClientField(lowerCase: string): boolean {
  return CLIENT_FIELDS.has(lowerCase)
}

/** A name with `_` that a server could take for a field that the proxy checks. */
export function isDisguised(lowerCase: string): boolean {
  if (!lowerCase.includes('_')) return false
  const dashed = lowerCase.replaceAll('_', '-')
  return CLIENT_FIELDS.has(dashed) || HOP_BY_HOP.has(dashed) || KEPT.has(dashed) || dashed === 'via'
}

/** The names in the `Connection` fields of a message. */
export function connectionOptions(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined || connection === 'keep-alive' || /^(keep-alive|close)$/i.test(connection)) return NOTHING
  const names = connection.split(',').map((name) => name.trim().toLowerCase())
  return new Set(names.filter((name) => !KEPT.has(name)))
}

/** Does the field describe one connection, whatever `Connection` says? */
export function isHopField(lowerCase: string): boolean {
  return HOP_BY_HOP.has(lowerCase)
}

export function isHopByHop(lowerCase: string, options: ReadonlySet<string>): boolean {
  return HOP_BY_HOP.has(lowerCase) || options.has(lowerCase)
}

/** The fields of an answer for the next recipient. A length beside chunks is none (RFC 9112 §6.3). */
export function answerFields(rawHeaders: readonly string[], connection: string | undefined, isChunked: boolean): string[] {
  const options = connectionOptions(connection)
  const fields: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (isHopByHop(name.toLowerCase(), options) || (isChunked && isField(name, 'content-length'))) continue
    fields.push(name, rawHeaders[at + 1] as string)
  }
  return fields
}

/** The trailers that may pass. */
export function trailerFields(rawTrailers: readonly string[]): string[] {
  const fields: string[] = []
  for (let at = 0; at < rawTrailers.length; at += 2) {
    const name = (rawTrailers[at] as string).toLowerCase()
    if (NOT_IN_TRAILERS.has(name) || HOP_BY_HOP.has(name) || CLIENT_FIELDS.has(name) || isDisguised(name)) continue
    fields.push(rawTrailers[at] as string, rawTrailers[at + 1] as string)
  }
  return fields
}
