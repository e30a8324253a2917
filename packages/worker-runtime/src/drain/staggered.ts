// Says goodbye to many, but not to all at once: each has a moment of its own, spread evenly over a time, so that those who come back come one by one.

/** Whoever is new later has a moment in what is left of the time, or now. */
export class Staggered<T extends object> {
  private readonly untilMs: number
  private readonly chance: () => number
  private readonly moments = new WeakMap<T, number>()

  /** `chance`: 0 to 1. */
  constructor(nowMs: number, spreadMs: number, chance: () => number) {
    this.untilMs = nowMs + spreadMs
    this.chance = chance
  }

  /** Those among `all` whose moment has come; each is given once. */
  due(all: readonly T[], nowMs: number): T[] {
    const fresh = all.filter((one) => !this.moments.has(one))
    const leftMs = Math.max(0, this.untilMs - nowMs)
    for (const [index, one] of fresh.entries()) this.moments.set(one, nowMs + (leftMs * (index + this.chance())) / fresh.length)
    const due = all.filter((one) => (this.moments.get(one) as number) <= nowMs)
    for (const one of due) this.moments.set(one, Number.POSITIVE_INFINITY)
    return due
  }
}
