// Writes the head of an HTTP/2 request as one of HTTP/1.1 (RFC 9113 §8). What HTTP/1.1 could read as something else is refused.

import { randomBytes } from 'node:crypto'

/** How the body is framed for HTTP/1.1; `raw`: bytes of a websocket follow the answer. */
export type Framing = 'none' | 'length' | 'chunked' | 'raw'

export interface RequestHead {
  readonly text: string
  readonly framing: Framing
  /** From Content-Length; 0 without one. */
  readonly length: number
  readonly isHead: boolean
  /** Does the client accept trailers? */
  readonly takesTrailers: boolean
}

/** A head that is malformed, and its stream gets PROTOCOL_ERROR; or the status of an answer. */
export type HeadFault = 'malformed' | 400 | 501

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
/** No space, which would end the target. */
const TARGET = /^(?:\/[\x21-\x7e\x80-\xff]*|\*)$/
const AUTHORITY = /^[\x21-\x2e\x30-\x7e]*$/
const BAD_VALUE = /[\0\r\n]/
const LENGTH = /^\d{1,15}$/
const KEY_BYTES = 16
/** Field names that are remembered, and the longest of them. */
const MAX_KNOWN = 200
const MAX_KNOWN_CHARS = 64

/** `raw`: names and values in turn, pseudo-header fields first. `isEnd`: no body follows. */
export function readRequestHead(raw: readonly string[], isEnd: boolean): RequestHead | HeadFault {
  let method: string | undefined
  let path: string | undefined
  let scheme: string | undefined
  let authority: string | undefined
  let protocol: string | undefined
  let host: string | undefined
  let cookie = ''
  let length: string | undefined
  let fields = ''
  let takesTrailers = false
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    const value = raw[at + 1] as string
    if (BAD_VALUE.test(value)) return 'malformed'
    switch (name) {
      case ':method':
        method = value
        break
      case ':path':
        path = value
        break
      case ':scheme':
        scheme = value
        break
      case ':authority':
        authority = value
        break
      case ':protocol':
        protocol = value
        break
      case 'host':
        if (host !== undefined) return 400
        host = value
        break
      case 'cookie':
        // §8.2.3: clients may split it.
        cookie = cookie === '' ? value : `${cookie}; ${value}`
        break
      case 'content-length':
        if (length !== undefined || !LENGTH.test(value)) return 'malformed'
        length = value
        break
      case 'connection':
      case 'proxy-connection':
      case 'keep-alive':
      case 'transfer-encoding':
      case 'upgrade':
        return 'malformed'
      case 'http2-settings':
        break
      case 'te':
        if (value.toLowerCase() !== 'trailers') return 'malformed'
        takesTrailers = true
        fields += 'te: trailers\r\n'
        break
      default:
        if (!isFieldName(name)) return 'malformed'
        fields += `${name}: ${value}\r\n`
    }
  }
  if (method === undefined || !METHOD.test(method)) return 'malformed'
  if (method === 'CONNECT' && protocol === undefined) return 501
  if (path === undefined || scheme === undefined || !TARGET.test(path)) return 'malformed'
  if (authority !== undefined && !AUTHORITY.test(authority)) return 'malformed'
  // §8.3.1: both may be there if they say the same.
  if (host !== undefined && authority !== undefined && authority !== '' && host !== authority) return 400
  const named = authority || host
  const hostField = named === undefined ? '' : `host: ${named}\r\n`
  const cookieField = cookie === '' ? '' : `cookie: ${cookie}\r\n`
  if (protocol !== undefined) {
    if (method !== 'CONNECT') return 'malformed'
    // RFC 8441: other protocols have no name in HTTP/1.1.
    if (protocol.toLowerCase() !== 'websocket') return 501
    const upgrade = `connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${randomBytes(KEY_BYTES).toString('base64')}\r\n`
    return {
      ...{ text: `GET ${path} HTTP/1.1\r\n${hostField}${upgrade}${fields}${cookieField}\r\n`, framing: 'raw' },
      ...{ length: 0, isHead: false, takesTrailers: false },
    }
  }
  const framing = isEnd ? 'none' : length === undefined ? 'chunked' : 'length'
  if (isEnd && length !== undefined && Number(length) > 0) return 'malformed'
  const bodyField = length !== undefined ? `content-length: ${length}\r\n` : framing === 'chunked' ? 'transfer-encoding: chunked\r\n' : ''
  return {
    text: `${method} ${path} HTTP/1.1\r\n${hostField}${fields}${cookieField}${bodyField}\r\n`,
    ...{ framing, length: Number(length ?? 0), isHead: method === 'HEAD', takesTrailers },
  }
}

/** Names that were found right. Clients send the same few again and again. */
const known = new Set<string>()

function isFieldName(name: string): boolean {
  if (known.has(name)) return true
  if (!FIELD_NAME.test(name)) return false
  if (known.size < MAX_KNOWN && name.length <= MAX_KNOWN_CHARS) known.add(name)
  return true
}

/** Trailers of a request as the end of a chunked body. Fields that HTTP/1.1 could misread are left out. */
export function lastChunk(raw: readonly string[]): string {
  let text = '0\r\n'
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    const value = raw[at + 1] as string
    if (isFieldName(name) && !BAD_VALUE.test(value)) text += `${name}: ${value}\r\n`
  }
  return `${text}\r\n`
}
