// What this worker has read of sessions. An entry is fresh, good to be used without asking, until somebody else is heard to write, or it is too old.
// After that it is only known: its version can be shown to the store, and it is something to fall back on.

/** A session as it was read. */
export interface NearSession {
  readonly version: number
  readonly text: string
  /** When its time is over, if nobody has touched it. */
  readonly expiresMs: number
}

interface Entry extends NearSession {
  /** When it was asked for. */
  readonly askedMs: number
  /** Of the trust it was read in. */
  readonly trust: number
}

/** A command that is under way. */
export interface UnderWay {
  readonly id: string
  readonly askedMs: number
  /** Somebody has written meanwhile: what comes back may be what was there before. */
  isSpoilt: boolean
}

export interface NearCacheLimits {
  readonly maxEntries: number
  readonly maxAgeMs: number
}

/** Of all texts together. */
const MAX_CHARS = 2 ** 25

export class NearCache {
  /** Is it heard when others write? Otherwise nothing is ever fresh. */
  hears = false
  hits = 0
  misses = 0
  private readonly limits: NearCacheLimits
  /** Least recently used first. */
  private readonly entries = new Map<string, Entry>()
  private readonly underWay = new Map<string, Set<UnderWay>>()
  private trust = 0
  private chars = 0

  constructor(limits: NearCacheLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.entries.size
  }

  /** What can be used without asking. */
  fresh(id: string, nowMs: number): NearSession | undefined {
    const entry = this.entries.get(id)
    const { maxAgeMs } = this.limits
    const isFresh =
      entry !== undefined && this.hears && entry.trust === this.trust && nowMs - entry.askedMs < maxAgeMs && entry.expiresMs > nowMs
    if (!isFresh) {
      this.misses++
      return undefined
    }
    this.hits++
    this.entries.delete(id)
    this.entries.set(id, entry)
    return entry
  }

  /** What was there when it was last asked for. */
  known(id: string, nowMs: number): NearSession | undefined {
    const entry = this.entries.get(id)
    return entry === undefined || entry.expiresMs > nowMs ? entry : undefined
  }

  /** A command begins; `ended` has to follow. */
  begin(id: string, nowMs: number): UnderWay {
    const one = { id, askedMs: nowMs, isSpoilt: false }
    const others = this.underWay.get(id)
    if (others === undefined) this.underWay.set(id, new Set([one]))
    else others.add(one)
    return one
  }

  /** A read has ended. `found`: what is there; undefined: nothing is, or it is not known. */
  hasRead(one: UnderWay, found: NearSession | undefined): void {
    this.end(one)
    if (found !== undefined && !one.isSpoilt) this.keep(one, found)
    else if (found === undefined && !one.isSpoilt) this.remove(one.id)
  }

  /** A command that changes something has ended, and this is there now; undefined: nothing is, or it is not known. */
  hasWritten(one: UnderWay, found: NearSession | undefined): void {
    this.end(one)
    this.changed(one.id)
    if (found !== undefined && !one.isSpoilt) this.keep(one, found)
  }

  /** A command has failed that changes nothing. */
  hasFailed(one: UnderWay): void {
    this.end(one)
  }

  /** It will not be over before. */
  hasTouched(one: UnderWay, expiresMs: number): void {
    this.end(one)
    const entry = this.entries.get(one.id)
    if (entry !== undefined) this.entries.set(one.id, { ...entry, expiresMs })
  }

  /** Somebody has written there. */
  changed(id: string): void {
    for (const one of this.underWay.get(id) ?? []) one.isSpoilt = true
    this.remove(id)
  }

  /** Somebody may have written anywhere: nothing is fresh, but all of it was once. */
  distrust(): void {
    this.trust++
    for (const ones of this.underWay.values()) for (const one of ones) one.isSpoilt = true
  }

  clear(): void {
    this.distrust()
    this.entries.clear()
    this.chars = 0
  }

  private keep({ id, askedMs }: UnderWay, { version, text, expiresMs }: NearSession): void {
    this.remove(id)
    this.entries.set(id, { version, text, expiresMs, askedMs, trust: this.trust })
    this.chars += text.length
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.limits.maxEntries && this.chars <= MAX_CHARS) return
      this.remove(oldest)
    }
  }

  private remove(id: string): void {
    const entry = this.entries.get(id)
    if (entry === undefined) return
    this.chars -= entry.text.length
    this.entries.delete(id)
  }

  private end(one: UnderWay): void {
    const ones = this.underWay.get(one.id)
    ones?.delete(one)
    if (ones?.size === 0) this.underWay.delete(one.id)
  }
}
