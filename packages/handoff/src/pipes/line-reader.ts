// Cuts text that comes in pieces into lines. A bound on their length bounds the memory for a line that never ends.

export interface LineReaderOptions {
  readonly maxChars: number
  /** Called with each line, without its end. */
  readonly onLine: (line: string) => void
  /** Called when a line is longer than `maxChars`. The rest of it is skipped. */
  readonly onTooLong: () => void
}

/** Scans each piece once, however small the pieces are. */
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
