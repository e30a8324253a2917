// A session store behind the cache of this process: a fresh session costs no round trip.

import { NearCache, type NearCacheLimits, type NearSession, type PendingCommand } from './near-cache.ts'
import type { Found, SessionStore, Written } from './session-store.ts'

/** What an id stands for: a session, none, or one that was destroyed. */
export type Current = NearSession | 'absent' | 'ended'

/** A touch is skipped if it would extend the session by less than this share of its time to live. */
const TOUCH_SHARE = 0.01

export class NearStore {
  readonly store: SessionStore
  readonly cache: NearCache
  private readonly now: () => number
  private readonly isCaching: boolean

  /** `limits` undefined: no cache. */
  constructor(store: SessionStore, limits: NearCacheLimits | undefined, now: () => number = () => performance.now()) {
    this.store = store
    this.cache = new NearCache(limits ?? { maxEntries: 0, maxAgeMs: 0 })
    this.now = now
    this.isCaching = limits !== undefined && limits.maxEntries > 0
    if (!this.isCaching) return
    const { cache } = this
    cache.isListening = true
    const canListen = store.onChanged(
      (id) => (id === undefined ? cache.invalidateAll() : cache.invalidate(id)),
      (isListening) => {
        cache.isListening = isListening
      },
    )
    if (!canListen) cache.isListening = false
  }

  /**
   * A session that is known to be current. If the store can't know whether all changes were reported, it may be outdated, by `maxAgeMs` at
   * most.
   */
  fresh(id: string): NearSession | undefined {
    if (!this.isCaching) return undefined
    if (this.store.hasHeardAll?.() !== false) return this.cache.fresh(id, this.now())
    this.cache.misses++
    return undefined
  }

  /** The session as it was last read, however long ago. */
  latest(id: string): NearSession | undefined {
    return this.cache.latest(id, this.now())
  }

  remainingMs({ expiresMs }: NearSession): number {
    return Math.max(0, expiresMs - this.now())
  }

  /** Reads from the store. Rejects with SessionStoreError. */
  async read(id: string): Promise<Current> {
    const nowMs = this.now()
    const latest = this.cache.latest(id, nowMs)
    const command = this.cache.begin(id, nowMs)
    let found: Found
    try {
      found = await this.store.read(id, latest?.version)
    } catch (error) {
      this.cache.onFailed(command)
      throw error
    }
    const current = this.currentOf(found, latest)
    this.cache.onRead(command, sessionIn(current))
    return current
  }

  /**
   * Resolves with true if the text was written, with the current session if its version was not `expected`, or with `ended`. Rejects with
   * SessionStoreError.
   */
  async write(id: string, text: string, ttlMs: number, expected?: number): Promise<true | { readonly found: Current } | 'ended'> {
    const command = this.cache.begin(id, this.now())
    let written: Written
    try {
      written = await this.store.write(id, text, ttlMs, expected)
    } catch (error) {
      // The write may have happened.
      this.cache.onWritten(command, undefined)
      throw error
    }
    if (written.state === 'written') {
      this.cache.onWritten(command, { version: written.version, text, expiresMs: command.askedMs + ttlMs })
      return true
    }
    const found = written.state === 'ended' ? 'ended' : this.currentOf(written.found, undefined)
    this.cache.onWritten(command, sessionIn(found))
    return found === 'ended' ? found : { found }
  }

  /** Resolves with false if there is no session. Rejects with SessionStoreError. */
  async touch(id: string, ttlMs: number): Promise<boolean> {
    const nowMs = this.now()
    const fresh = this.fresh(id)
    if (fresh !== undefined && Math.abs(fresh.expiresMs - nowMs - ttlMs) <= ttlMs * TOUCH_SHARE) return true
    const command = this.cache.begin(id, nowMs)
    let isThere: boolean
    try {
      isThere = await this.store.touch(id, ttlMs)
    } catch (error) {
      this.cache.onFailed(command)
      throw error
    }
    if (isThere) this.cache.onTouched(command, command.askedMs + ttlMs)
    else this.cache.onRead(command, undefined)
    return isThere
  }

  /** As `SessionStore.destroy`. */
  async destroy(id: string, expected?: number): Promise<boolean | 'conflict'> {
    const command: PendingCommand = this.cache.begin(id, this.now())
    try {
      return await this.store.destroy(id, expected)
    } finally {
      this.cache.onWritten(command, undefined)
    }
  }

  async clear(): Promise<void> {
    try {
      await this.store.clear()
    } finally {
      this.cache.clear()
    }
  }

  private currentOf(found: Found, latest: NearSession | undefined): Current {
    const expiresMs = this.now() + ('ttlMs' in found ? found.ttlMs : 0)
    switch (found.state) {
      case 'kept':
        return { version: found.version, text: found.text, expiresMs }
      case 'same':
        return latest === undefined ? 'absent' : { version: latest.version, text: latest.text, expiresMs }
      default:
        return found.state
    }
  }
}

function sessionIn(current: Current): NearSession | undefined {
  return typeof current === 'string' ? undefined : current
}
