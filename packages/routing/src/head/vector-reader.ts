// Reads the numbers and vectors of a TLS message from its bytes.

/** Reads numbers and vectors (RFC 8446 §3.4). Beyond its end it reads nothing and is faulty. */
export class Reader {
  isFaulty = false
  private readonly bytes: Uint8Array
  private at: number
  private readonly end: number

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  skip(length: number): void {
    if (length > this.left) {
      this.isFaulty = true
      this.at = this.end
    } else this.at += length
  }

  /** A number of `width` bytes; 0 if there are not as many. */
  number(width: 1 | 2): number {
    const { at } = this
    this.skip(width)
    if (this.isFaulty) return 0
    const first = this.bytes[at] as number
    return width === 1 ? first : (first << 8) | (this.bytes[at + 1] as number)
  }

  /** Content with its length, of `width` bytes, before it; empty if it does not fit. */
  vector(width: 1 | 2): Reader {
    const length = this.number(width)
    const { at } = this
    this.skip(length)
    return this.isFaulty ? new Reader(this.bytes, at, at) : new Reader(this.bytes, at, at + length)
  }

  /** Skips content with its length before it. Returns the length. */
  skipVector(width: 1 | 2): number {
    const length = this.number(width)
    this.skip(length)
    return length
  }

  /** What is left, as latin1. */
  text(): string {
    let text = ''
    for (let at = this.at; at < this.end; at++) text += String.fromCharCode(this.bytes[at] as number)
    return text
  }

  copy(length: number): Uint8Array {
    return new Uint8Array(this.bytes.subarray(this.at, this.at + length))
  }
}
