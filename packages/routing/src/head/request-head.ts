// The head of a request as routing sees it: accessors over raw bytes that make strings on demand. In an incomplete head, or one with traits of
// request smuggling, every accessor answers `undefined`, so that nothing in it can be a key.

import type { ClientHello } from './client-hello.ts'
import { type HeadOutcome, type HeadProtocol, type HeadScan, newScan, scanHead } from './head-scan.ts'
import { cookieIn, hostIn, isAbsoluteForm, isPlainHost, namesHost, originForm, parameterIn, pathEnd, trimSpace } from './head-text.ts'
import type { ListenerAddress } from './listener-address.ts'
import { readPath } from './path-readings.ts'

export type { HeadOutcome, HeadProtocol } from './head-scan.ts'

/** The parts of a parsed head, as in Node's `IncomingMessage`. */
export interface HeadParts {
  readonly method?: string
  readonly target: string
  /** Names are in lower case. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
}

const NO_HEADERS: NonNullable<HeadParts['headers']> = {}

// The scan of every head that a parser has parsed elsewhere. It can be shared, because its offsets are never read.
const PARSED: Readonly<HeadScan> = newScan('complete', 'http/1')
const PARSED_AMBIGUOUS: Readonly<HeadScan> = { ...PARSED, ambiguous: true }

/** Provides the address of a peer; a socket is one. */
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
  private pathsText: string | readonly string[] | undefined
  private address: string | undefined
  private addressSource: AddressSource | undefined
  private listenerAddress: ListenerAddress | undefined
  private listenerSource: unknown
  private readListener: ((source: never) => ListenerAddress | undefined) | undefined
  private clientHello: ClientHello | undefined
  private helloSource: unknown
  private readHello: ((source: never) => ClientHello | undefined) | undefined

  private constructor(scan: Readonly<HeadScan>, bytes: Buffer | undefined, parts: HeadParts | undefined) {
    this.readable = scan.outcome === 'complete' && !scan.ambiguous && scan.hello === undefined
    this.scan = scan
    this.bytes = bytes
    this.headers = parts === undefined ? undefined : (parts.headers ?? NO_HEADERS)
    this.methodText = parts === undefined ? undefined : (parts.method ?? 'GET')
    this.targetText = parts?.target
    this.hostText = undefined
    this.hostKnown = false
    this.pathsText = undefined
    this.address = undefined
    this.addressSource = undefined
    this.listenerAddress = undefined
    this.listenerSource = undefined
    this.readListener = undefined
    this.clientHello = scan.hello
    this.helloSource = undefined
    this.readHello = undefined
  }

  /**
   * Reads a head from the first `length` bytes, of which only `maxBytes` count: `too-large` if no head ends within them. Over TLS the head is
   * the ClientHello, and a longer one is `not-http`. Never throws.
   * The head reads from `bytes` for as long as it is used; call `keep()` before the buffer is used again.
   */
  static read(bytes: Buffer, length: number, maxBytes: number): RequestHead {
    const end = Math.min(length, maxBytes, bytes.length)
    const scan = scanHead(bytes, end)
    if (scan.outcome === 'incomplete' && end >= maxBytes) scan.outcome = scan.protocol === 'tls' ? 'not-http' : 'too-large'
    return new RequestHead(scan, bytes, undefined)
  }

  /** The head of a connection that is routed by its address alone. Every other accessor answers `undefined`. */
  static addressOnly(): RequestHead {
    return new RequestHead(newScan('not-http', 'unknown'), undefined, undefined)
  }

  /** The head of a TLS connection with this ClientHello. */
  static ofHello(hello: ClientHello): RequestHead {
    return new RequestHead({ ...newScan('complete', 'tls'), hello }, undefined, undefined)
  }

  /** A head from parts that a parser has accepted. Default `method`: GET. */
  static of(parts: HeadParts): RequestHead {
    return new RequestHead(isPlainTarget(parts.method, parts.target) ? PARSED : PARSED_AMBIGUOUS, undefined, parts)
  }

  get outcome(): HeadOutcome {
    return this.scan.outcome
  }

  get protocol(): HeadProtocol {
    return this.scan.protocol
  }

  /** The head is complete, but parsers can disagree about it: bare CR or LF, folded lines, control bytes, more than one Host. */
  get ambiguous(): boolean {
    return this.scan.ambiguous
  }

  /** Was the head made with `of`, from parts that a parser has accepted? */
  get isParsed(): boolean {
    return this.headers !== undefined
  }

  /** More than one Host field, even if they are equal: RFC 9112 §3.2 requires a 400. */
  get hasManyHosts(): boolean {
    return this.scan.hasManyHosts
  }

  /** Length of the head with the final CRLFCRLF and any empty lines before it; 0 unless complete, and over TLS. */
  get byteLength(): number {
    return this.scan.byteLength
  }

  /** The bytes that it was read from; undefined if another parser has read it. Valid as long as the head. */
  get received(): Buffer | undefined {
    return this.bytes?.subarray(0, this.byteLength)
  }

  /** Copies the bytes, so that the head outlives the buffer it was read from. Returns itself. */
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
    const target = this.origin
    return target?.slice(0, pathEnd(target))
  }

  /** The path in every form in which a program can read it, see `readPath`; `undefined` for CONNECT. */
  get paths(): string | readonly string[] | undefined {
    if (this.pathsText === undefined) {
      const target = this.origin
      if (target !== undefined) this.pathsText = readPath(target)
    }
    return this.pathsText
  }

  /**
   * Do all programs read the same host? Not if Host is no plain host, or if an absolute-form target names another host
   * (by RFC 9112 §3.2.2 the target wins, but apps read Host).
   */
  get namesOneHost(): boolean {
    const { target } = this
    if (target === undefined) return false
    const isOriginForm = target.charCodeAt(0) === 0x2f
    if (isOriginForm && this.scan.hasSimpleHost) return true
    const field = this.header('host')
    if (field !== undefined && !isPlainHost(field)) return false
    return isOriginForm || !isAbsoluteForm(target) || (this.host !== undefined && namesHost(target, this.host))
  }

  /** The query as sent, without `?` and not decoded; `undefined` when there is no `?`. */
  get query(): string | undefined {
    const target = this.origin
    if (target === undefined || target === '*') return undefined
    const end = pathEnd(target)
    if (target.charCodeAt(end) !== 0x3f) return undefined
    const hash = target.indexOf('#', end)
    return target.slice(end + 1, hash === -1 ? target.length : hash)
  }

  /** The Host field in lower case, without port and final dot; `undefined` if left out or no host. */
  get host(): string | undefined {
    if (!this.hostKnown) {
      this.hostText = hostIn(this.header('host') ?? '')
      this.hostKnown = true
    }
    return this.hostText
  }

  /**
   * The value of a header field, in latin1. Several values are joined by `, ` (cookies by `; `), or only the first counts, as in Node's
   * `request.headers`. `name` in any case.
   */
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

  /** The peer's address as the listener sees it; `undefined` for a unix socket or when unknown. */
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

  /** Sets where the address comes from. The source is read once, on the first use of `remoteAddress`. */
  setAddressSource(source: AddressSource): void {
    this.addressSource = source
  }

  /** The listener over which the connection came; `undefined` when unknown. It is set only where a route asks for it. */
  get listener(): ListenerAddress | undefined {
    if (this.readListener !== undefined) {
      this.listenerAddress = this.readListener(this.listenerSource as never)
      this.readListener = undefined
    }
    return this.listenerAddress
  }

  set listener(address: ListenerAddress | undefined) {
    this.listenerAddress = address
    this.readListener = undefined
  }

  /** Sets where the listener comes from. `read` is called once, on the first use of `listener`. */
  setListenerSource<S>(source: S, read: (source: S) => ListenerAddress | undefined): void {
    this.listenerSource = source
    this.readListener = read
  }

  /**
   * The ClientHello of a TLS connection; `undefined` unless it is complete and valid. A head that was read from it has nothing else. For a
   * request inside TLS a worker sets it.
   */
  get hello(): ClientHello | undefined {
    if (this.readHello !== undefined) {
      this.clientHello = this.readHello(this.helloSource as never)
      this.readHello = undefined
    }
    return this.clientHello
  }

  /** Sets where the hello of a request inside TLS comes from. `read` is called once, on the first use of `hello`. */
  setHelloSource<S>(source: S, read: (source: S) => ClientHello | undefined): void {
    this.helloSource = source
    this.readHello = read
  }

  private get origin(): string | undefined {
    const { target } = this
    if (target === undefined || target.charCodeAt(0) === 0x2f) return target
    return this.method === 'CONNECT' ? undefined : originForm(target)
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
      if (found === undefined) {
        if (ONE_VALUE.has(name.toLowerCase())) return value
        found = value
      } else if (typeof found === 'string') found = [found, value]
      else found.push(value)
    }
    return found
  }
}

function valuesIn(headers: NonNullable<HeadParts['headers']>, name: string): string | readonly string[] | undefined {
  const values: unknown = headers[name] ?? headers[name.toLowerCase()]
  // Inherited properties of Object, such as `constructor`, are neither.
  return typeof values === 'string' || Array.isArray(values) ? values : undefined
}

/** Fields of which Node keeps only the first. */
const ONE_VALUE = new Set(
  'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since last-modified location max-forwards proxy-authorization referer retry-after server user-agent'.split(
    ' ',
  ),
)

function isPlainTarget(method: string | undefined, target: string): boolean {
  if (method === 'CONNECT') return target !== '' && target[0] !== '*' && !target.includes('/')
  return target.charCodeAt(0) === 0x2f || target === '*' || isAbsoluteForm(target)
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
