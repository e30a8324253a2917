// The lines that a proxy worker logs of its upstream servers, on stderr. They are bounded: a dead server must not fill the log.

const LINES_PER_SECOND = 10
const SECOND_MS = 1000

export class UpstreamLog {
  private readonly now: () => number
  private readonly print: (line: string) => void
  private since = Number.NEGATIVE_INFINITY
  private lines = 0
  private withheld = 0

  constructor(now: () => number, print: (line: string) => void) {
    this.now = now
    this.print = print
  }

  write(line: string): void {
    const now = this.now()
    if (now - this.since >= SECOND_MS) {
      const { withheld } = this
      this.since = now
      this.lines = 0
      this.withheld = 0
      if (withheld > 0) this.print(`upstream: ${withheld} more lines like the last ones`)
    }
    if (this.lines >= LINES_PER_SECOND) this.withheld++
    else {
      this.lines++
      this.print(`upstream: ${line}`)
    }
  }
}
