// Reads the answers of an upstream server from the bytes of one connection, in whatever pieces they come (RFC 9112 §6, §7).

import { type AnswerHead, parseAnswerHead, parseTrailers } from './answer-fields.ts'

/** What has been read. The calls come in order. */
export interface AnswerSink {
  /** An interim answer (1xx). */
  onInformation(head: AnswerHead): void
  onHead(head: AnswerHead): void
  /** The bytes may be overwritten after the call. */
  onBody(part: Buffer): void
}

type State = 'head' | 'body' | 'until end' | 'size' | 'data' | 'data end' | 'trailers' | 'over' | 'faulty'

const MAX_HEAD_CHARS = 64 * 1024
/** Of a chunk's size with its extensions. */
const MAX_SIZE_CHARS = 4096
const MAX_TRAILER_CHARS = 64 * 1024
const HEAD_END = '\r\n\r\n'
const LINE_FEED = 0x0a
/** The size in hexadecimal, and extensions: names with values that are tokens or quoted (RFC 9112 §7.1.1). */
const SIZE_LINE =
  /^([\da-f]{1,16})(?:;[!#$%&'*+.^_`|~\w-]+(?:=(?:[!#$%&'*+.^_`|~\w-]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e])*"))?)*\r$/i
const SWITCHING_PROTOCOLS = 101
const NO_CONTENT = 204
const NOT_MODIFIED = 304

export class AnswerReader {
  /** The fields behind a chunked body. */
  trailers: readonly string[] = []
  /** May the connection serve another request after this answer? */
  keepsAlive = false
  private state: State = 'over'
  private sink: AnswerSink | undefined
  private isHead = false
  /** What has come of a head, a line or trailers. */
  private text = ''
  /** Bytes of the body or the chunk that are still to come. */
  private remaining = 0

  /** A request was sent, and its answer comes next. `isHead`: the method is HEAD. */
  begin(sink: AnswerSink, isHead: boolean): void {
    this.sink = sink
    this.isHead = isHead
    this.state = 'head'
    this.text = ''
    this.trailers = []
    this.keepsAlive = false
  }

  /** The answer is complete. */
  get isOver(): boolean {
    return this.state === 'over'
  }

  /** What has come is no answer. Nothing more is read. */
  get isFaulty(): boolean {
    return this.state === 'faulty'
  }

  read(bytes: Buffer): void {
    let at = this.state === 'head' ? this.readHeads(bytes) : 0
    while (at < bytes.length) {
      const { state } = this
      if (state === 'body' || state === 'data') {
        const part = bytes.subarray(at, at + this.remaining)
        at += part.length
        this.remaining -= part.length
        this.sink?.onBody(part)
        if (this.remaining === 0) this.state = state === 'body' ? 'over' : 'data end'
      } else if (state === 'until end') {
        this.sink?.onBody(at === 0 ? bytes : bytes.subarray(at))
        return
      } else if (state === 'over') {
        // No request was sent for these bytes. As the head of the next answer they would reach another client.
        this.keepsAlive = false
        return
      } else if (state === 'faulty') return
      else at = this.readLine(bytes, at)
    }
  }

  /** The server has ended the connection. True: that ends the answer too. */
  end(): boolean {
    if (this.state === 'until end') this.state = 'over'
    return this.state === 'over'
  }

  /** Reads interim heads and the final one. Returns where the body begins. */
  private readHeads(bytes: Buffer): number {
    const before = this.text.length
    const text = this.text + bytes.toString('latin1')
    let begin = 0
    for (let from = Math.max(0, before - 3); ; from = begin) {
      const end = text.indexOf(HEAD_END, from)
      if ((end === -1 ? text.length : end) - begin > MAX_HEAD_CHARS) return this.fail(bytes)
      if (end === -1) {
        this.text = begin === 0 ? text : text.slice(begin)
        return bytes.length
      }
      const head = parseAnswerHead(text.slice(begin, end))
      begin = end + HEAD_END.length
      if (head === undefined || head.status === SWITCHING_PROTOCOLS) return this.fail(bytes)
      if (head.status >= 200) {
        this.text = ''
        this.acceptHead(head)
        return begin - before
      }
      this.sink?.onInformation(head)
    }
  }

  private acceptHead(head: AnswerHead): void {
    const { status, length, isChunked } = head
    const hasNone = this.isHead || status === NO_CONTENT || status === NOT_MODIFIED || length === 0
    this.remaining = length ?? 0
    this.state = hasNone ? 'over' : isChunked ? 'size' : length === undefined ? 'until end' : 'body'
    this.keepsAlive = head.keepsAlive && this.state !== 'until end'
    this.sink?.onHead(head)
  }

  /** Reads a line of the chunked framing, or a part of it. Returns where the rest begins. */
  private readLine(bytes: Buffer, from: number): number {
    const found = bytes.indexOf(LINE_FEED, from)
    const end = found === -1 ? bytes.length : found
    const text = this.text + bytes.toString('latin1', from, end)
    if (text.length > (this.state === 'trailers' ? MAX_TRAILER_CHARS : MAX_SIZE_CHARS)) return this.fail(bytes)
    this.text = text
    if (found === -1) return bytes.length
    if (this.state === 'trailers') this.endTrailerLine()
    else {
      this.text = ''
      this.endSizeLine(text)
    }
    return end + 1
  }

  private endSizeLine(line: string): void {
    if (this.state === 'data end') {
      this.state = line === '\r' ? 'size' : 'faulty'
      return
    }
    const size = SIZE_LINE.exec(line)?.[1]
    const bytes = Number.parseInt(size ?? '', 16)
    // NaN too.
    if (!Number.isSafeInteger(bytes)) this.state = 'faulty'
    else {
      this.remaining = bytes
      this.state = bytes === 0 ? 'trailers' : 'data'
    }
  }

  /** `text` has all lines of the trailers so far, without the last LF. */
  private endTrailerLine(): void {
    const { text } = this
    this.text = `${text}\n`
    if (text !== '\r' && !text.endsWith('\n\r')) return
    this.text = ''
    const trailers = parseTrailers(text.slice(0, -1))
    this.state = trailers === undefined ? 'faulty' : 'over'
    this.trailers = trailers ?? []
  }

  private fail(bytes: Buffer): number {
    this.text = ''
    this.state = 'faulty'
    return bytes.length
  }
}
