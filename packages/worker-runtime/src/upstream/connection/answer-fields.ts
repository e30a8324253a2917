// Parses the head of an HTTP/1 answer of an upstream server, as strictly as Node's own parser or more so: what two readers could frame differently is
// refused (RFC 9112 §4, §5, §6).

import { kindOf } from '../fields/field-kinds.ts'
import { connectionOptions } from '../fields/hop-fields.ts'

/** The head of an answer. */
export interface AnswerHead {
  readonly status: number
  readonly reason: string
  /** Names and values in turn, as sent, without those of the connection. */
  readonly fields: readonly string[]
  /** From Content-Length. undefined: there is none. */
  readonly length: number | undefined
  readonly hasLength: boolean
  readonly isChunked: boolean
  readonly hasTrailer: boolean
  /** May the connection serve another request, as far as the head says? */
  readonly keepsAlive: boolean
  /** The value of `Keep-Alive`. */
  readonly keepAlive: string | undefined
}

/** What no value may contain: controls but the tab, so also a CR or LF that does not end the line (RFC 9112 §2.2, RFC 9110 §5.5). */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/
const BARE_LINE_END = /\r(?!\n)|(?<!\r)\n/
const DIGITS = /^\d{1,16}$/
const SPACE = 0x20
const TAB = 0x09

/** The head; `text` is without the empty line at its end. undefined: no HTTP/1 answer has such a head. */
export function parseAnswerHead(text: string): AnswerHead | undefined {
  const lineEnd = text.indexOf('\r\n')
  const line = STATUS_LINE.exec(lineEnd === -1 ? text : text.slice(0, lineEnd))
  if (line === null) return undefined
  const fields: string[] = []
  let connection: string | undefined
  let coding: string | undefined
  let length: number | undefined
  let keepAlive: string | undefined
  let hasTrailer = false
  for (let at = lineEnd === -1 ? text.length : lineEnd + 2; at < text.length; ) {
    const found = text.indexOf('\r\n', at)
    const end = found === -1 ? text.length : found
    const colon = text.indexOf(':', at)
    if (colon === -1 || colon > end) return undefined
    const name = text.slice(at, colon)
    const value = trimmed(text, colon + 1, end)
    if (FORBIDDEN.test(value)) return undefined
    at = end + 2
    switch (kindOf(name)) {
      case 'invalid':
        return undefined
      case 'hop':
        continue
      case 'connection':
        connection = connection === undefined ? value : `${connection}, ${value}`
        continue
      case 'keep-alive':
        keepAlive = value
        continue
      case 'transfer-encoding':
        // Another coding would have to be removed too, and two fields are read in two ways.
        if (coding !== undefined || value.toLowerCase() !== 'chunked') return undefined
        coding = value
        continue
      case 'content-length':
        if (length !== undefined || !DIGITS.test(value) || !Number.isSafeInteger(Number(value))) return undefined
        // Parsers differ on a tab beside a length.
        if (text.slice(colon, end).includes('\t')) return undefined
        length = Number(value)
        break
      case 'trailer':
        hasTrailer = true
    }
    fields.push(name, value)
  }
  if (coding !== undefined && length !== undefined) return undefined
  const isOne = line[1] === '1'
  const options = connectionOptions(connection)
  return {
    status: Number(line[2]),
    reason: line[3] ?? '',
    fields: options.size === 0 ? fields : without(fields, options),
    length,
    hasLength: length !== undefined,
    isChunked: coding !== undefined,
    hasTrailer,
    keepsAlive: keepsConnection(isOne, connection, coding !== undefined),
    keepAlive,
  }
}

/** The fields behind the last chunk, each line ended by CRLF. undefined: they are none. */
export function parseTrailers(text: string): readonly string[] | undefined {
  if (BARE_LINE_END.test(text)) return undefined
  const fields: string[] = []
  for (const line of text.split('\r\n').slice(0, -1)) {
    const colon = line.indexOf(':')
    if (colon === -1) return undefined
    const kind = kindOf(line.slice(0, colon))
    // A reader that merges trailers into the head would frame another answer.
    if (kind === 'invalid' || kind === 'content-length' || kind === 'transfer-encoding') return undefined
    const value = trimmed(line, colon + 1, line.length)
    if (FORBIDDEN.test(value)) return undefined
    fields.push(line.slice(0, colon), value)
  }
  return fields
}

/** RFC 9112 §9.3. A chunked answer of HTTP/1.0 counts as faulty framing (§6.1): nothing behind it is read. */
function keepsConnection(isOne: boolean, connection: string | undefined, isChunked: boolean): boolean {
  if (connection === undefined) return isOne
  if (connection === 'keep-alive') return isOne || !isChunked
  const tokens = connection.split(',').map((token) => token.trim().toLowerCase())
  if (tokens.includes('close')) return false
  return isOne || (tokens.includes('keep-alive') && !isChunked)
}

function without(fields: readonly string[], options: ReadonlySet<string>): readonly string[] {
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string
    if (!options.has(name.toLowerCase())) kept.push(name, fields[at + 1] as string)
  }
  return kept
}

/** The part of the text without spaces and tabs around it. */
function trimmed(text: string, from: number, to: number): string {
  let [start, end] = [from, to]
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}
