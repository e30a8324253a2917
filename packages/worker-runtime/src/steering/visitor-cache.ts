// Caches the visitors that belong to this worker: the primary sent them here, or this worker set their cookie. An entry is good for ten seconds;
// then the request goes back to the primary, which may know a newer slot.

import { type VisitorSlots, visitorKey } from '@switchyard/routing'

const KNOWN_MS = 10_000
const MAX_KNOWN = 16_384

interface Known {
  readonly untilMs: number
  /** Has the cookie been reported to the primary? */
  isReported: boolean
}

export class VisitorCache implements VisitorSlots {
  private readonly pool: string
  private readonly slot: number
  private readonly now: () => number
  /** By key, in order of expiry. */
  private readonly known = new Map<string, Known>()

  /** `now`: a monotonic clock in milliseconds. */
  constructor({ pool, slot }: { readonly pool: string; readonly slot: number }, now: () => number) {
    this.pool = pool
    this.slot = slot
    this.now = now
  }

  slotOf(pool: string, cookie: string, value: string): number | undefined {
    return pool === this.pool && this.find(visitorKey(cookie, value)) !== undefined ? this.slot : undefined
  }

  /** The primary has sent this visitor here. */
  record(key: string): void {
    if (this.find(key) === undefined) this.add(key)
  }

  /** A response sets this visitor's cookie. True: the caller must report it to the primary. */
  give(key: string): boolean {
    const known = this.find(key) ?? this.add(key)
    if (known.isReported) return false
    known.isReported = true
    return true
  }

  get size(): number {
    return this.known.size
  }

  private find(key: string): Known | undefined {
    const known = this.known.get(key)
    return known === undefined || known.untilMs <= this.now() ? undefined : known
  }

  private add(key: string): Known {
    const now = this.now()
    this.known.delete(key)
    for (const [oldest, { untilMs }] of this.known) {
      if (untilMs > now && this.known.size < MAX_KNOWN) break
      this.known.delete(oldest)
    }
    const known = { untilMs: now + KNOWN_MS, isReported: false }
    this.known.set(key, known)
    return known
  }
}
