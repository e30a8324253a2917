// Cuts text that comes in pieces into lines, with a bound on the length of one: a line that never ends takes no more memory than that.

export interface LineReaderOptions {
  readonly maxChars: number
  /** A line without its end. */
  readonly onLine: (line: string) => void
  /** A line is longer than `maxChars`: the rest of it is skipped. */
  readonly onTooLong: () => void
}

/** Keeps what has come of a line that has not ended. Each piece is looked at once, however small the pieces are. */
export class LineReader {
  private readonly options: LineReaderOptions
  private text = ''
  private isSkipping = false

  constructor(options: LineReaderOptions) {
    this.options = options
  }

  read(text: string): void {
    let start = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      this.add(text.slice(start, end))
      start = end + 1
      const line = this.text
      const isWhole = !this.isSkipping
      this.text = ''
      this.isSkipping = false
      if (isWhole) this.options.onLine(line)
    }
    this.add(text.slice(start))
  }

  private add(part: string): void {
    if (this.isSkipping) return
    if (this.text.length + part.length <= this.options.maxChars) {
      this.text += part
      return
    }
    this.text = ''
    this.isSkipping = true
    this.options.onTooLong()
  }
}
