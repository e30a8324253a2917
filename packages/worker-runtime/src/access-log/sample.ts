// Chooses which requests have a line.

export class Sample {
  private readonly share: number
  private readonly chance: () => number
  /** Requests to leave out before the next one. */
  private left: number

  /** `share`: from 0, none, to 1, all. `chance` returns numbers from 0 to below 1. */
  constructor(share: number, chance: () => number) {
    this.share = share
    this.chance = chance
    this.left = this.gap()
  }

  /** Is the next request one of the sample? Each is, with the same chance; it is drawn once for each that is. */
  takes(): boolean {
    if (this.left > 0) {
      this.left--
      return false
    }
    this.left = this.gap()
    return true
  }

  /** Geometrically distributed: as if a chance were drawn for each request. */
  private gap(): number {
    if (this.share >= 1) return 0
    return this.share <= 0 ? Number.POSITIVE_INFINITY : Math.floor(Math.log(1 - this.chance()) / Math.log(1 - this.share))
  }
}
