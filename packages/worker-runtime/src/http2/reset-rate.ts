// Counts how often a client resets streams (CVE-2023-44487). Node's own limit holds for one read of the connection only, and is higher.

const MINUTE_MS = 60_000
const SECOND_MS = 1000

export interface ResetLimits {
  readonly maxResetsPerMinute: number
  readonly maxResetsAtOnce: number
}

export class ResetRate {
  private readonly limits: ResetLimits
  private resets = 0
  private sinceMs = 0
  /** Reset before they had begun, less those that time has made good. */
  private atOnce = 0
  private atMs = 0

  constructor(limits: ResetLimits) {
    this.limits = limits
  }

  /** A stream was reset. `hasBegun`: the app had it. Were there too many? */
  isTooHigh(hasBegun: boolean, nowMs: number): boolean {
    const { maxResetsPerMinute, maxResetsAtOnce } = this.limits
    if (nowMs - this.sinceMs >= MINUTE_MS) {
      this.sinceMs = nowMs
      this.resets = 0
    }
    if (++this.resets > maxResetsPerMinute) return true
    if (hasBegun) return false
    this.atOnce = Math.max(0, this.atOnce - ((nowMs - this.atMs) * maxResetsAtOnce) / SECOND_MS) + 1
    this.atMs = nowMs
    return this.atOnce > maxResetsAtOnce
  }
}
