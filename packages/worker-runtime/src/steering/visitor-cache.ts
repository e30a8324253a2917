// Visitors of whom this worker knows that they are its own: the primary has sent them here, or they got their cookie here. It knows each for a short while
// only; then the primary, which may have learned better, is asked again. Bounded.

import { type VisitorSlots, visitorKey } from '@switchyard/routing'

const KNOWN_MS = 10_000
const MAX_KNOWN = 16_384

interface Known {
  readonly untilMs: number
  /** Has the primary been told? */
  isTold: boolean
}

export class VisitorCache implements VisitorSlots {
  private readonly pool: string
  private readonly slot: number
  private readonly now: () => number
  /** By key, in the order in which they end. */
  private readonly known = new Map<string, Known>()

  /** `now`: milliseconds of a clock that only grows. */
  constructor({ pool, slot }: { readonly pool: string; readonly slot: number }, now: () => number) {
    this.pool = pool
    this.slot = slot
    this.now = now
  }

  slotOf(pool: string, cookie: string, value: string): number | undefined {
    return pool === this.pool && this.find(visitorKey(cookie, value)) !== undefined ? this.slot : undefined
  }

  /** The primary wants this visitor to be here. */
  record(key: string): void {
    if (this.find(key) === undefined) this.add(key)
  }

  /** A response gives a visitor this cookie. True: the primary has to be told. */
  give(key: string): boolean {
    const known = this.find(key) ?? this.add(key)
    if (known.isTold) return false
    known.isTold = true
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
    const known = { untilMs: now + KNOWN_MS, isTold: false }
    this.known.set(key, known)
    return known
  }
}
