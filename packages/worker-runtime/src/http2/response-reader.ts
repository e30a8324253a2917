// Reads the HTTP/1.1 responses that the app's server writes to an in-process connection, piece by piece as Node writes them.

import type { OutgoingHttpHeaders } from 'node:http2'

/** What has been read. The calls come in order. */
export interface ResponseSink {
  /** An interim response (1xx). */
  onInformation(status: number, fields: OutgoingHttpHeaders): void
  /** `hasBody` false: `onEnd` follows. */
  onHead(status: number, fields: OutgoingHttpHeaders, hasBody: boolean): void
  /** `isLast`: `onEnd` follows. */
  onBody(part: Buffer | string, encoding: BufferEncoding | undefined, isLast: boolean): void
  onEnd(trailers: OutgoingHttpHeaders | undefined): void
  /** What was written is no response. Nothing follows. */
  onFault(): void
}

type State = 'head' | 'body' | 'until end' | 'size' | 'data' | 'data end' | 'trailers' | 'ended' | 'tunnel'

/** A server does not bound its response heads. */
const MAX_HEAD_CHARS = 1024 * 1024
/** Field names whose lower case is remembered. */
const MAX_NAMES = 200
const MAX_LINE_CHARS = 64 * 1024
const HEAD_END = '\r\n\r\n'
const NOT_ASCII = /[^\0-\x7f]/
const STATUS = /^HTTP\/1\.[01] \d{3}(?:[ \r]|$)/
const STATUS_AT = 'HTTP/1.1 '.length
const CLOSE = /\bclose\b/i
const SIZE = /^[0-9a-f]{1,12}(?:;|$)/i

const SWITCHING = 101
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const NO_CONTENT = 204
const RESET_CONTENT = 205
const NOT_MODIFIED = 304

export class ResponseReader {
  private readonly sink: ResponseSink
  private state: State = 'ended'
  private isHead = false
  private isUpgrade = false
  /** What has come of a head or a line. */
  private text = ''
  /** Bytes of the body or the chunk that are still to come. */
  private remaining = 0
  /** Has the server said that it serves no other request on this connection? */
  closes = false

  constructor(sink: ResponseSink) {
    this.sink = sink
  }

  /** A request was sent. Its response comes next. */
  begin(isHead: boolean, isUpgrade: boolean): void {
    this.state = 'head'
    this.closes = false
    this.text = ''
    this.isHead = isHead
    this.isUpgrade = isUpgrade
  }

  /** Does the end of the connection end the response too? */
  get endsWithConnection(): boolean {
    return this.state === 'until end' || this.state === 'tunnel'
  }

  read(chunk: Buffer | string, encoding: BufferEncoding): void {
    const { state } = this
    if (state === 'tunnel' || state === 'until end') return this.sink.onBody(chunk, encoding, false)
    if (state === 'head') return this.readHead(chunk, encoding)
    if (state === 'body') return this.readBody(chunk, encoding)
    if (state === 'ended') return
    if (state === 'data' && typeof chunk === 'string') {
      // Most chunks are written in one piece.
      const bytes = Buffer.byteLength(chunk, encoding)
      if (bytes <= this.remaining) return this.passData(chunk, encoding, bytes)
    }
    this.readChunked(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk)
  }

  private readHead(chunk: Buffer | string, encoding: BufferEncoding): void {
    const isText = typeof chunk === 'string'
    const before = this.text.length
    let text = isText ? chunk : chunk.toString('latin1')
    if (before > 0) text = this.text + text
    const end = text.indexOf(HEAD_END, Math.max(0, before - HEAD_END.length))
    if (end === -1) {
      if (text.length > MAX_HEAD_CHARS) return void this.fail()
      this.text = text
      return
    }
    this.text = ''
    let head = text.slice(0, end)
    const isAscii = !NOT_ASCII.test(head)
    // Node writes a head together with a body of text, in the encoding of the body. Its characters are bytes.
    if (!isAscii && isText && encoding !== 'latin1' && encoding !== 'binary') head = Buffer.from(head, encoding).toString('latin1')
    const next = end + HEAD_END.length
    const rest = isText ? text.slice(next) : chunk.subarray(next - before)
    if (this.beginResponse(head, isAscii) && rest.length > 0) this.read(rest, encoding)
  }

  private beginResponse(head: string, isAscii: boolean): boolean {
    const firstEnd = head.indexOf('\r\n')
    const status = statusIn(head)
    if (status < 100) {
      this.fail()
      return false
    }
    const fields: OutgoingHttpHeaders = {}
    let length = -1
    let isChunked = false
    for (let at = firstEnd === -1 ? head.length : firstEnd + 2; at < head.length; ) {
      const lineEnd = head.indexOf('\r\n', at)
      const end = lineEnd === -1 ? head.length : lineEnd
      const colon = head.indexOf(':', at)
      const start = at
      at = end + 2
      if (colon <= start || colon > end) continue
      const name = lowerCase(head.slice(start, colon))
      const value = head.slice(head.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1, end)
      if (name === 'transfer-encoding') isChunked = value.toLowerCase().endsWith('chunked')
      else if (name === 'connection') this.closes ||= value !== 'keep-alive' && CLOSE.test(value)
      else if (!isOfConnection(name)) {
        if (name === 'content-length') length = Number(value)
        addField(fields, name, isAscii ? value : beforeNodeEncodes(value))
      }
    }
    return this.acceptHead(status, fields, length, isChunked)
  }

  private acceptHead(status: number, fields: OutgoingHttpHeaders, length: number, isChunked: boolean): boolean {
    const { sink } = this
    if (status === SWITCHING && this.isUpgrade) {
      delete fields['sec-websocket-accept']
      this.state = 'tunnel'
      // RFC 8441 §5.1.
      sink.onHead(200, fields, true)
      return true
    }
    if (status === SWITCHING) {
      this.fail()
      return false
    }
    if (status < 200) {
      sink.onInformation(status, fields)
      return true
    }
    const hasNone = this.isHead || status === NO_CONTENT || status === RESET_CONTENT || status === NOT_MODIFIED
    const hasBody = !hasNone && (isChunked || length !== 0)
    this.remaining = length
    this.state = !hasBody ? 'ended' : isChunked ? 'size' : length > 0 ? 'body' : 'until end'
    sink.onHead(status, fields, hasBody)
    if (!hasBody) sink.onEnd(undefined)
    return hasBody
  }

  private readBody(chunk: Buffer | string, encoding: BufferEncoding): void {
    const bytes = typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length
    if (bytes > this.remaining) {
      // Node lets an app write more than it has announced. The rest is no part of the response.
      const whole = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
      if (this.remaining > 0) this.sink.onBody(whole.subarray(0, this.remaining), undefined, true)
      this.state = 'ended'
      return this.sink.onEnd(undefined)
    }
    this.remaining -= bytes
    if (bytes > 0) this.sink.onBody(chunk, encoding, this.remaining === 0)
    if (this.remaining > 0) return
    this.state = 'ended'
    this.sink.onEnd(undefined)
  }

  private passData(part: Buffer | string, encoding: BufferEncoding | undefined, bytes: number): void {
    this.remaining -= bytes
    if (bytes > 0) this.sink.onBody(part, encoding, false)
    if (this.remaining === 0) this.state = 'data end'
  }

  private readChunked(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.state === 'data') {
        const part = bytes.subarray(at, at + this.remaining)
        at += part.length
        this.passData(part, undefined, part.length)
        continue
      }
      const end = bytes.indexOf(0x0a, at)
      const line = this.text + bytes.toString('latin1', at, end === -1 ? bytes.length : end)
      if (line.length > MAX_LINE_CHARS) return void this.fail()
      if (end === -1) {
        this.text = line
        return
      }
      at = end + 1
      if (this.state !== 'trailers') this.text = ''
      if (!this.readLine(line)) return
    }
  }

  /** A line of the chunked framing, without its LF. False: nothing follows. */
  private readLine(line: string): boolean {
    switch (this.state) {
      case 'data end':
        this.state = 'size'
        return true
      case 'size': {
        if (!SIZE.test(line.trimEnd())) return this.fail()
        this.remaining = Number.parseInt(line, 16)
        this.state = this.remaining === 0 ? 'trailers' : 'data'
        return true
      }
      default: {
        // All lines of the trailers so far.
        if (!line.endsWith('\r')) return this.fail()
        const isLast = line === '\r' || line.endsWith('\n\r')
        this.text = `${line}\n`
        if (!isLast) return true
        this.text = ''
        this.state = 'ended'
        this.sink.onEnd(trailersIn(line))
        return false
      }
    }
  }

  private fail(): false {
    this.state = 'ended'
    this.sink.onFault()
    return false
  }
}

/** 0: it is no response. */
function statusIn(head: string): number {
  if (!STATUS.test(head)) return 0
  return Number(head.slice(STATUS_AT, STATUS_AT + 3))
}

function trailersIn(text: string): OutgoingHttpHeaders | undefined {
  if (text === '\r') return undefined
  const fields: OutgoingHttpHeaders = {}
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) addField(fields, line.slice(0, colon).toLowerCase(), beforeNodeEncodes(line.slice(colon + 1).trim()))
  }
  return fields
}

/** Names that apps have used, in lower case. */
const names = new Map<string, string>()

function lowerCase(name: string): string {
  const known = names.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  if (names.size < MAX_NAMES) names.set(name, lower)
  return lower
}

/** RFC 9113 §8.2.2: fields of the connection, which HTTP/2 does not have. */
function isOfConnection(name: string): boolean {
  return name === 'keep-alive' || name === 'upgrade' || name === 'proxy-connection' || name === 'http2-settings'
}

/** Node sends fields of HTTP/2 as UTF-8. Returns the text that becomes the given bytes, if there is one. */
function beforeNodeEncodes(bytes: string): string {
  if (!NOT_ASCII.test(bytes)) return bytes
  try {
    return UTF8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return bytes
  }
}

/** Fields that Node sends only once. */
const SINGLE = new Set([
  ...['access-control-allow-credentials', 'access-control-max-age', 'access-control-request-method', 'age', 'authorization'],
  ...['content-encoding', 'content-language', 'content-length', 'content-location', 'content-md5', 'content-range', 'content-type', 'date'],
  ...['dnt', 'etag', 'expires', 'from', 'host', 'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since'],
  ...['last-modified', 'location', 'max-forwards', 'proxy-authorization', 'range', 'referer', 'retry-after', 'tk'],
  ...['upgrade-insecure-requests', 'user-agent', 'x-content-type-options'],
])

function addField(fields: OutgoingHttpHeaders, name: string, value: string): void {
  const before = fields[name]
  if (before === undefined) fields[name] = value
  else if (SINGLE.has(name)) return
  else if (Array.isArray(before)) before.push(value)
  else fields[name] = [before as string, value]
}
