// The store as this process sees it: what it has read stays near, and no round trip is made for what is known already.

import { NearCache, type NearCacheLimits, type NearSession, type UnderWay } from './near-cache.ts'
import type { Found, SessionStore, Written } from './session-store.ts'

/** What is under an id: a session, nothing, or nothing for a while. */
export type Current = NearSession | 'absent' | 'ended'

/** A session is not touched again before this share of its time has passed. */
const TOUCH_SHARE = 0.01

export class NearStore {
  readonly store: SessionStore
  readonly cache: NearCache
  private readonly now: () => number
  private readonly isKeeping: boolean

  /** `limits` undefined: nothing stays near. */
  constructor(store: SessionStore, limits: NearCacheLimits | undefined, now: () => number = () => performance.now()) {
    this.store = store
    this.cache = new NearCache(limits ?? { maxEntries: 0, maxAgeMs: 0 })
    this.now = now
    this.isKeeping = limits !== undefined && limits.maxEntries > 0
    if (!this.isKeeping) return
    const { cache } = this
    cache.hears = true
    const canHear = store.onChanged(
      (id) => (id === undefined ? cache.distrust() : cache.changed(id)),
      (hears) => {
        cache.hears = hears
      },
    )
    if (!canHear) cache.hears = false
  }

  /** What can be had without asking; nobody else has written there, or nobody can know and it is not heard yet, for `maxAgeMs` at most. */
  near(id: string): NearSession | undefined {
    if (!this.isKeeping) return undefined
    if (this.store.hasHeardAll?.() !== false) return this.cache.fresh(id, this.now())
    this.cache.misses++
    return undefined
  }

  /** What was there when it was last heard of, however long ago. */
  last(id: string): NearSession | undefined {
    return this.cache.known(id, this.now())
  }

  /** What is left of its time. */
  leftMs({ expiresMs }: NearSession): number {
    return Math.max(0, expiresMs - this.now())
  }

  /** Asks the store. Rejects with SessionStoreError. */
  async read(id: string): Promise<Current> {
    const nowMs = this.now()
    const known = this.cache.known(id, nowMs)
    const one = this.cache.begin(id, nowMs)
    let found: Found
    try {
      found = await this.store.read(id, known?.version)
    } catch (error) {
      this.cache.hasFailed(one)
      throw error
    }
    const current = this.currentOf(found, known)
    this.cache.hasRead(one, sessionIn(current))
    return current
  }

  /** Resolves with true when it is written, with what is there when that is not what was expected, and with `ended`. Rejects with SessionStoreError. */
  async write(id: string, text: string, ttlMs: number, expected?: number): Promise<true | { readonly found: Current } | 'ended'> {
    const one = this.cache.begin(id, this.now())
    let written: Written
    try {
      written = await this.store.write(id, text, ttlMs, expected)
    } catch (error) {
      // It may have been written.
      this.cache.hasWritten(one, undefined)
      throw error
    }
    if (written.state === 'written') {
      this.cache.hasWritten(one, { version: written.version, text, expiresMs: one.askedMs + ttlMs })
      return true
    }
    const found = written.state === 'ended' ? 'ended' : this.currentOf(written.found, undefined)
    this.cache.hasWritten(one, sessionIn(found))
    return found === 'ended' ? found : { found }
  }

  /** Resolves with false when it is not there. Rejects with SessionStoreError. */
  async touch(id: string, ttlMs: number): Promise<boolean> {
    const nowMs = this.now()
    const near = this.near(id)
    if (near !== undefined && Math.abs(near.expiresMs - nowMs - ttlMs) <= ttlMs * TOUCH_SHARE) return true
    const one = this.cache.begin(id, nowMs)
    let isThere: boolean
    try {
      isThere = await this.store.touch(id, ttlMs)
    } catch (error) {
      this.cache.hasFailed(one)
      throw error
    }
    if (isThere) this.cache.hasTouched(one, one.askedMs + ttlMs)
    else this.cache.hasRead(one, undefined)
    return isThere
  }

  /** As the store's own. Rejects with SessionStoreError. */
  async destroy(id: string, expected?: number): Promise<boolean | 'conflict'> {
    const one: UnderWay = this.cache.begin(id, this.now())
    try {
      return await this.store.destroy(id, expected)
    } finally {
      this.cache.hasWritten(one, undefined)
    }
  }

  async clear(): Promise<void> {
    try {
      await this.store.clear()
    } finally {
      this.cache.clear()
    }
  }

  private currentOf(found: Found, known: NearSession | undefined): Current {
    const expiresMs = this.now() + ('ttlMs' in found ? found.ttlMs : 0)
    switch (found.state) {
      case 'kept':
        return { version: found.version, text: found.text, expiresMs }
      case 'same':
        return known === undefined ? 'absent' : { version: known.version, text: known.text, expiresMs }
      default:
        return found.state
    }
  }
}

function sessionIn(current: Current): NearSession | undefined {
  return typeof current === 'string' ? undefined : current
}
