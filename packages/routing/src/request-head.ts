// The head of a request as routing sees it: lazy accessors over raw bytes. Strings are made only when somebody asks.
// A head that is not complete, or that has traits that smuggle, answers `undefined` to everything: it is never a key.

import { type HeadOutcome, type HeadProtocol, type HeadScan, newScan, scanHead } from './head-scan.ts'
import { cookieIn, hasPath, hostIn, parameterIn, pathEnd, trimSpace } from './head-text.ts'

export type { HeadOutcome, HeadProtocol } from './head-scan.ts'

/** Parts of a head that is already parsed, as Node's `IncomingMessage` has them. */
export interface HeadParts {
  readonly method?: string
  readonly target: string
  /** By their names in lower case. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
}

const NO_HEADERS: NonNullable<HeadParts['headers']> = {}

// What a scan says of a head that was parsed elsewhere; shared, as no offset in it is ever looked at.
const PARSED: Readonly<HeadScan> = newScan('complete', 'http/1')
const PARSED_AMBIGUOUS: Readonly<HeadScan> = { ...PARSED, ambiguous: true }

/** Knows the address of a peer. */
export interface AddressSource {
  readonly remoteAddress?: string | undefined
}

export class RequestHead {
  private readonly readable: boolean
  private readonly scan: Readonly<HeadScan>
  private bytes: Buffer | undefined
  private readonly headers: NonNullable<HeadParts['headers']> | undefined
  private methodText: string | undefined
  private targetText: string | undefined
  private hostText: string | undefined
  private hostKnown: boolean
  private address: string | undefined
  private addressSource: AddressSource | undefined

  private constructor(scan: Readonly<HeadScan>, bytes: Buffer | undefined, parts: HeadParts | undefined) {
    this.readable = scan.outcome === 'complete' && !scan.ambiguous
    this.scan = scan
    this.bytes = bytes
    this.headers = parts === undefined ? undefined : (parts.headers ?? NO_HEADERS)
    this.methodText = parts === undefined ? undefined : (parts.method ?? 'GET')
    this.targetText = parts?.target
    this.hostText = undefined
    this.hostKnown = false
    this.address = undefined
    this.addressSource = undefined
  }

  /**
   * Reads a head from the first `length` of `bytes`; never throws, never guesses. Only the first `maxBytes` count: `too-large` when no head ends within them.
   * The head looks into `bytes` for as long as it is used; call `keep()` before the buffer is used again.
   */
  static read(bytes: Buffer, length: number, maxBytes: number): RequestHead {
    const end = Math.min(length, maxBytes, bytes.length)
    const scan = scanHead(bytes, end)
    if (scan.outcome === 'incomplete' && end >= maxBytes) scan.outcome = 'too-large'
    return new RequestHead(scan, bytes, undefined)
  }

  /** The head of a connection that is routed by its address alone: nothing was read, every accessor answers `undefined`. */
  static addressOnly(): RequestHead {
    return new RequestHead(newScan('not-http', 'unknown'), undefined, undefined)
  }

  /** A head from parts that some parser has already accepted; `method` is GET when left out. */
  static of(parts: HeadParts): RequestHead {
    return new RequestHead(isPlainTarget(parts.method, parts.target) ? PARSED : PARSED_AMBIGUOUS, undefined, parts)
  }

  get outcome(): HeadOutcome {
    return this.scan.outcome
  }

  get protocol(): HeadProtocol {
    return this.scan.protocol
  }

  /** The head is complete, but parsers could disagree on what it says: bare CR or LF, folded lines, control bytes, two different Hosts, absolute-form. */
  get ambiguous(): boolean {
    return this.scan.ambiguous
  }

  /** Bytes of the head with the final CRLFCRLF and any empty lines before it; 0 unless complete. */
  get byteLength(): number {
    return this.scan.byteLength
  }

  /** Takes a copy of the bytes, so that the head outlives the buffer it was read from; gives itself. */
  keep(): this {
    if (this.bytes !== undefined) this.bytes = Buffer.from(this.bytes.subarray(0, this.byteLength))
    return this
  }

  /** The method as sent; methods are case-sensitive. */
  get method(): string | undefined {
    if (!this.readable) return undefined
    this.methodText ??= this.text(this.scan.methodStart, this.scan.methodEnd)
    return this.methodText
  }

  /** The target as sent, such as `/cart?id=1`; `*` or an authority for OPTIONS and CONNECT. */
  get target(): string | undefined {
    if (!this.readable) return undefined
    this.targetText ??= this.text(this.scan.targetStart, this.scan.targetEnd)
    return this.targetText
  }

  /** The path as sent, before `?` and `#`, not decoded. `undefined` for CONNECT, which has none. */
  get path(): string | undefined {
    const target = this.target
    if (target === undefined || !hasPath(target)) return undefined
    return target.slice(0, pathEnd(target))
  }

  /** The query as sent, without `?` and not decoded; `undefined` when there is no `?`. */
  get query(): string | undefined {
    const target = this.target
    if (target === undefined || target.charCodeAt(0) !== 0x2f) return undefined
    const end = pathEnd(target)
    if (target.charCodeAt(end) !== 0x3f) return undefined
    const hash = target.indexOf('#', end)
    return target.slice(end + 1, hash === -1 ? target.length : hash)
  }

  /** The Host field in lower case, without port and final dot; `undefined` when left out or not a host. */
  get host(): string | undefined {
    if (!this.hostKnown) {
      this.hostText = hostIn(this.header('host') ?? '')
      this.hostKnown = true
    }
    return this.hostText
  }

  /** The value of a header field, of several the values joined by `, ` (cookies by `; `). `name` in any case. Bytes are read as latin1. */
  header(name: string): string | undefined {
    if (!this.readable) return undefined
    const values = this.headers === undefined ? this.valuesInBytes(name) : valuesIn(this.headers, name)
    if (typeof values !== 'object') return values
    return values.join(name.length === 6 && name.toLowerCase() === 'cookie' ? '; ' : ', ')
  }

  /** The first value of a query parameter, decoded; as sent when its encoding is broken. */
  queryParameter(name: string): string | undefined {
    const query = this.query
    return query === undefined ? undefined : parameterIn(query, name)
  }

  /** The first value of a cookie (RFC 6265 §5.4), without quotes around it, not decoded. Names are case-sensitive. */
  cookie(name: string): string | undefined {
    const cookies = this.header('cookie')
    return cookies === undefined ? undefined : cookieIn(cookies, name)
  }

  /** The address of the peer, as its listener sees it; `undefined` for a unix socket or when not filled in. */
  get remoteAddress(): string | undefined {
    if (this.addressSource !== undefined) {
      this.address = this.addressSource.remoteAddress
      this.addressSource = undefined
    }
    return this.address
  }

  set remoteAddress(address: string | undefined) {
    this.address = address
    this.addressSource = undefined
  }

  /** Tells who knows the address; asked at most once, when somebody wants it. A socket is one. */
  setAddressSource(source: AddressSource): void {
    this.addressSource = source
  }

  private text(start: number, end: number): string | undefined {
    return this.bytes?.toString('latin1', start, end)
  }

  private valuesInBytes(name: string): string | string[] | undefined {
    const { bytes, scan } = this
    if (bytes === undefined) return undefined
    const { fields } = scan
    let found: string | string[] | undefined
    for (let index = 0; index < fields.length; index += 2) {
      const start = fields[index] as number
      const colon = fields[index + 1] as number
      if (colon - start !== name.length || !isName(bytes, start, name)) continue
      const end = (index + 2 < fields.length ? (fields[index + 2] as number) : scan.byteLength - 2) - 2
      const value = trimSpace(bytes.toString('latin1', colon + 1, end))
      if (found === undefined) found = value
      else if (typeof found === 'string') found = [found, value]
      else found.push(value)
    }
    return found
  }
}

function valuesIn(headers: NonNullable<HeadParts['headers']>, name: string): string | readonly string[] | undefined {
  const values: unknown = headers[name] ?? headers[name.toLowerCase()]
  // What every object inherits is neither.
  return typeof values === 'string' || Array.isArray(values) ? values : undefined
}

function isPlainTarget(method: string | undefined, target: string): boolean {
  if (method === 'CONNECT') return target !== '' && target[0] !== '/' && target[0] !== '*'
  return target.charCodeAt(0) === 0x2f || (target === '*' && method === 'OPTIONS')
}

function isName(bytes: Uint8Array, start: number, name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    const byte = bytes[start + index] as number
    const code = name.charCodeAt(index)
    if (byte !== code && (lowerCase(byte) !== lowerCase(code) || code > 0x7f)) return false
  }
  return true
}

function lowerCase(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code
}
