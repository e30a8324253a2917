// Counts how often a client resets streams (CVE-2023-44487). Node's own limit holds for one read of the connection only.

const MINUTE_MS = 60_000

export class ResetRate {
  private readonly maxPerMinute: number
  private resets = 0
  private sinceMs = 0

  constructor(maxPerMinute: number) {
    this.maxPerMinute = maxPerMinute
  }

  /** A stream was reset. Were there too many? */
  isTooHigh(nowMs: number): boolean {
    if (nowMs - this.sinceMs >= MINUTE_MS) {
      this.sinceMs = nowMs
      this.resets = 0
    }
    return ++this.resets > this.maxPerMinute
  }
}
