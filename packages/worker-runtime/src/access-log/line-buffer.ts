// The memory in which lines of the access log are written, as bytes: a string for each part of a line, and one for the line, would cost several times as
// much. A line is ASCII. What a client sent is escaped, so that it ends no line and moves no cursor.

import type { SharedWord } from '../access-memory.ts'

/** A line is cut beyond this length: a URL may be as long as a head. */
export const MAX_LINE_BYTES = 8 * 1024
/** A loop is quicker for so many. */
const FEW_BYTES = 12
const LINE_FEED = 10
const ZERO = 48
const DOT = 46
/** How quotes, control characters and everything beyond ASCII are written: as in nginx, or as in JSON. */
export type Escapes = 'text' | 'json'

/** Bytes from one place of the buffer on, while it holds the same lines. */
export interface Region {
  readonly batch: number
  readonly from: number
  readonly end: number
}

/** Where lines go. It has room for at least two lines of MAX_LINE_BYTES. */
export interface LineSpace {
  readonly bytes: Uint8Array
  /** Where the first line begins. */
  readonly start: number
  /** Gets the end of the last whole line. */
  readonly end: SharedWord
}

export class LineBuffer {
  private space: LineSpace
  private bytes: Uint8Array
  private at = 0
  /** Where the present line is cut. */
  private limit = 0
  /** Rises when the buffer is emptied. */
  private batch = 0
  lines = 0

  constructor(space: LineSpace) {
    this.space = space
    this.bytes = space.bytes
    this.clear()
  }

  /** Where the next byte goes. */
  get end(): number {
    return this.at
  }

  /** Has it room for one more line? */
  get hasRoom(): boolean {
    return this.at + MAX_LINE_BYTES < this.bytes.length
  }

  /** Writes bytes that are known to be plain ASCII. */
  write(bytes: Uint8Array): void {
    const { at } = this
    const { length } = bytes
    if (at + length > this.limit) return this.write(bytes.subarray(0, this.limit - at))
    if (length > FEW_BYTES) this.bytes.set(bytes, at)
    else for (let index = 0; index < length; index++) this.bytes[at + index] = bytes[index] as number
    this.at = at + length
  }

  writeByte(byte: number): void {
    if (this.at < this.limit) this.bytes[this.at++] = byte
  }

  /** Writes text, with what is no plain ASCII escaped. */
  writeText(text: string, escapes: Escapes): void {
    const { bytes } = this
    const start = this.at
    const { length } = text
    const most = Math.min(length, this.limit - start)
    for (let index = 0; index < most; index++) {
      const code = text.charCodeAt(index)
      if (isUnsafe(code)) {
        this.at = start + index
        return this.writeEscaped(text, index, escapes)
      }
      bytes[start + index] = code
    }
    this.at = start + most
  }

  /** `value`: a whole number from 0 on. */
  writeNumber(value: number): void {
    if (value >= 1000 || this.at + 3 > this.limit) return this.writeText(String(value), 'text')
    const { bytes } = this
    if (value >= 100) bytes[this.at++] = ZERO + ((value / 100) | 0)
    if (value >= 10) bytes[this.at++] = ZERO + (((value / 10) | 0) % 10)
    bytes[this.at++] = ZERO + (value % 10)
  }

  /** With one digit behind the point. */
  writeTenths(value: number): void {
    const tenths = Math.max(0, Math.round(value * 10))
    this.writeNumber(Math.floor(tenths / 10))
    this.writeByte(DOT)
    this.writeByte(ZERO + (tenths % 10))
  }

  endLine(): void {
    // A cut line has its end too.
    const { words, index } = this.space.end
    this.bytes[this.at++] = LINE_FEED
    words[index] = this.at
    this.lines++
    this.limit = this.at + MAX_LINE_BYTES
  }

  /** What was written from `from` on. */
  regionFrom(from: number): Region {
    return { batch: this.batch, from, end: this.at }
  }

  /** A copy of a region; undefined: it is gone. */
  copyOf({ batch, from, end }: Region): Uint8Array | undefined {
    return batch === this.batch ? Uint8Array.prototype.slice.call(this.bytes, from, end) : undefined
  }

  /** Is the present line cut? */
  get isCut(): boolean {
    return this.at >= this.limit
  }

  /** Later lines go there. */
  use(space: LineSpace): void {
    this.space = space
    this.bytes = space.bytes
    this.clear()
  }

  /** Forgets all lines. */
  clear(): void {
    const { start, end } = this.space
    end.words[end.index] = start
    this.at = start
    this.limit = start + MAX_LINE_BYTES
    this.lines = 0
    this.batch++
  }

  private writeEscaped(text: string, from: number, escapes: Escapes): void {
    for (let index = from; index < text.length && this.at < this.limit; index++) {
      const code = text.charCodeAt(index)
      if (!isUnsafe(code)) this.writeByte(code)
      else for (const character of escaped(code, escapes)) this.writeByte(character.charCodeAt(0))
    }
  }
}

function isUnsafe(code: number): boolean {
  return code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c
}

function escaped(code: number, escapes: Escapes): string {
  if (escapes === 'text') return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`
  return code < 0x7f ? JSON.stringify(String.fromCharCode(code)).slice(1, -1) : `\\u${hex(code, 4)}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, '0')
}
