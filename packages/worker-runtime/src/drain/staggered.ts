// Spreads the closing of many connections evenly over a time, so that their clients do not reconnect all at once.

export class Staggered<T extends object> {
  private readonly untilMs: number
  private readonly chance: () => number
  private readonly moments = new WeakMap<T, number>()

  /** `chance`: random numbers from 0 to 1. */
  constructor(nowMs: number, spreadMs: number, chance: () => number) {
    this.untilMs = nowMs + spreadMs
    this.chance = chance
  }

  /** The members of `all` whose moment has come; each is returned once. New members are spread over the time that is left, or are due now. */
  due(all: readonly T[], nowMs: number): T[] {
    const fresh = all.filter((one) => !this.moments.has(one))
    const remainingMs = Math.max(0, this.untilMs - nowMs)
    for (const [index, one] of fresh.entries()) this.moments.set(one, nowMs + (remainingMs * (index + this.chance())) / fresh.length)
    const due = all.filter((one) => (this.moments.get(one) as number) <= nowMs)
    for (const one of due) this.moments.set(one, Number.POSITIVE_INFINITY)
    return due
  }
}
