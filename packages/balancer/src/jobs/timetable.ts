// When the schedules of all pools are due: a pure function of the wall clock, which may be set forward and back.

/** Computes the times of one schedule. */
export interface Times {
  /** The first time after this moment; undefined: there is none. */
  after(atMs: number): number | undefined
}

/** A schedule whose time has come. `atMs`: the time itself, which may be long past if the machine slept. */
export interface Due {
  readonly key: string
  readonly atMs: number
}

interface Entry {
  readonly identity: string
  readonly times: Times
  /** The last time that was due. */
  lastMs: number | undefined
  nextMs: number | undefined
}

/** A clock that goes back further than this was wrong before. Within it, times that have been due are not due again, as in cron(8). */
const MAX_REPEAT_MS = 3 * 3_600_000

export class Timetable {
  private readonly entries = new Map<string, Entry>()
  private seenMs = Number.NEGATIVE_INFINITY

  get isEmpty(): boolean {
    return this.entries.size === 0
  }

  /** Sets a schedule. One with the same identity stays as it is. `lastMs`: the last time that was due, in this primary or the one before. */
  set(key: string, identity: string, times: Times, nowMs: number, lastMs?: number): void {
    const known = this.entries.get(key)
    if (known?.identity === identity && lastMs === undefined) return
    const last = lastMs ?? known?.lastMs
    this.entries.set(key, { identity, times, lastMs: last, nextMs: times.after(from(last, nowMs, lastMs === undefined ? nowMs : 0)) })
  }

  /** Removes the schedules with other keys. */
  keep(keys: ReadonlySet<string>): void {
    for (const key of this.entries.keys()) if (!keys.has(key)) this.entries.delete(key)
  }

  /** The schedules that are due, each once, however many of its times have passed. */
  take(nowMs: number): Due[] {
    if (nowMs < this.seenMs) for (const entry of this.entries.values()) entry.nextMs = entry.times.after(from(entry.lastMs, nowMs, nowMs))
    this.seenMs = nowMs
    const due: Due[] = []
    for (const [key, entry] of this.entries) {
      const atMs = entry.nextMs
      if (atMs === undefined || atMs > nowMs) continue
      due.push({ key, atMs })
      entry.lastMs = nowMs
      entry.nextMs = entry.times.after(nowMs)
    }
    return due
  }

  nextMs(key: string): number | undefined {
    return this.entries.get(key)?.nextMs
  }

  lastMs(key: string): number | undefined {
    return this.entries.get(key)?.lastMs
  }

  /** The earliest time of all schedules; undefined: there is none. */
  get earliestMs(): number | undefined {
    const times = [...this.entries.values()].flatMap(({ nextMs }) => (nextMs === undefined ? [] : [nextMs]))
    return times.length === 0 ? undefined : Math.min(...times)
  }
}

/** The moment after which the next time is looked for: at least `leastMs`, and the last one that was due if the clock can be believed. */
function from(lastMs: number | undefined, nowMs: number, leastMs: number): number {
  return lastMs === undefined || lastMs - nowMs > MAX_REPEAT_MS ? nowMs : Math.max(leastMs, lastMs)
}
