// Sessions as an app has them: values under ids, on any store. What they mean is decided here; where they are kept, and how long that takes, is not.

import { type Current, NearStore } from './near-store.ts'
import { jsonCodec, readValue, type SessionCodec, writeValue } from './session-codec.ts'
import { type SessionIds, signedIds } from './session-id.ts'
import type { SessionSettings } from './session-settings.ts'
import { MAX_TTL_MS, SessionIdError, type SessionStore, SessionStoreError, type SessionStoreStatus } from './session-store.ts'
import { SessionUpdates } from './session-updates.ts'

export interface SessionsParts<Value> {
  readonly near: NearStore
  readonly updates: SessionUpdates
  readonly settings: SessionSettings
  readonly ids: SessionIds
  readonly codec: SessionCodec<Value>
}

/** A value, and what is left of its time in milliseconds. */
export interface FoundSession<Value> {
  readonly value: Value
  readonly ttlMs: number
}

export interface SessionsStatus extends SessionStoreStatus {
  /** What is kept near, reads that it has answered, and those that it could not. */
  readonly near: { readonly entries: number; readonly hits: number; readonly misses: number }
}

/**
 * Every method that asks the store rejects with SessionStoreError (503) when it can't be asked or has not answered within `commandTimeoutMs`.
 * Times to live are in milliseconds; left out, `ttlMs` of the settings.
 */
export class Sessions<Value = unknown> {
  readonly settings: SessionSettings
  readonly ids: SessionIds
  private readonly parts: SessionsParts<Value>

  constructor(parts: SessionsParts<Value>) {
    this.parts = parts
    this.settings = parts.settings
    this.ids = parts.ids
  }

  /** The same sessions with another form of ids, or other values. */
  as<Other = Value>(options: { readonly ids?: SessionIds; readonly codec?: SessionCodec<Other> }): Sessions<Other> {
    const { ids, codec, ...rest } = this.parts
    return new Sessions<Other>({ ...rest, ids: options.ids ?? ids, codec: options.codec ?? (codec as unknown as SessionCodec<Other>) })
  }

  /** An id for a new session. */
  newId(): string {
    return this.ids.make()
  }

  /** Have we given that id? Whatever else somebody brings is asked for nowhere. */
  isOurs(id: unknown): id is string {
    return this.ids.isOurs(id)
  }

  /**
   * The value; undefined: there is none, or it is no id of ours. While the store can't be asked it goes by `onOutage`: it rejects with SessionStoreError, gives
   * what this process has read before and rejects if it has not, or gives undefined. Rejects with SessionValueError when the codec can't read what is there.
   */
  async get(id: string): Promise<Value | undefined> {
    try {
      return (await this.find(id))?.value
    } catch (error) {
      if (error instanceof SessionStoreError && this.settings.onOutage === 'anonymous') return undefined
      throw error
    }
  }

  /** As `get`, with what is left of its time. It rejects where `onOutage` is `anonymous` too: for faces, which must not take a visitor for a new one then. */
  async find(id: string): Promise<FoundSession<Value> | undefined> {
    const { near, ids, codec } = this.parts
    if (!ids.isOurs(id)) return undefined
    const current = near.near(id) ?? (await near.read(id).catch((error) => this.inOutage(id, error)))
    return typeof current === 'string' ? undefined : { value: readValue(current.text, codec), ttlMs: near.leftMs(current) }
  }

  /** Replaces the whole. Resolves with true when it is written, with false when the session was destroyed. Rejects with SessionValueError and SessionIdError. */
  async set(id: string, value: Value, ttlMs?: number): Promise<boolean> {
    this.checkId(id)
    const { near, codec, settings } = this.parts
    const text = writeValue(value, codec, settings.maxValueBytes)
    return (await near.write(id, text, this.ttlOf(ttlMs))) === true
  }

  /**
   * Changes the value that is there; nothing that others write meanwhile is lost. `change` gives the next value, or changes the one that it is given; it is
   * called again when somebody else has written, so it must do nothing else, and it can't wait. Without a session it is given undefined. What it throws is what
   * this rejects with, and then nothing is written. Resolves with the value that is there now; undefined: the session was destroyed, or there is none.
   * Rejects with SessionValueError, SessionIdError, and SessionConflictError after `updateAttempts`.
   */
  async update(id: string, change: (value: Value | undefined) => Value | undefined, ttlMs?: number): Promise<Value | undefined> {
    this.checkId(id)
    const { updates, codec, settings } = this.parts
    let value: Value | undefined
    const isThere = await updates.run(id, this.ttlOf(ttlMs), (text) => {
      const before = text === undefined ? undefined : readValue(text, codec)
      const after = change(before)
      if (isThenable(after)) throw new TypeError('a change of a session must not wait: it gave a promise')
      value = after ?? before
      if (value === undefined) return undefined
      const next = writeValue(value, codec, settings.maxValueBytes)
      return after === undefined && next === text ? undefined : next
    })
    return isThere ? value : undefined
  }

  /** It is kept for `ttlMs` from now. Resolves with false when it is not there, and while the store can't be asked, unless `onOutage` is `fail`. */
  async touch(id: string, ttlMs?: number): Promise<boolean> {
    const { near, ids, settings } = this.parts
    if (!ids.isOurs(id)) return false
    try {
      return await near.touch(id, this.ttlOf(ttlMs))
    } catch (error) {
      if (error instanceof SessionStoreError && settings.onOutage !== 'fail') return false
      throw error
    }
  }

  /** Ends it: what a request that is still running writes there later is not kept. Resolves with false when there was none. */
  async destroy(id: string): Promise<boolean> {
    return this.parts.ids.isOurs(id) && (await this.parts.near.destroy(id)) === true
  }

  /**
   * Gives a session another id, as whoever has just logged in should have one that nobody knew before; the old one is ended. Resolves with the new id. Without a
   * session it is an id for a new one. Rejects with SessionIdError, and with SessionConflictError after `updateAttempts`.
   */
  async regenerate(id: string, ttlMs?: number): Promise<string> {
    this.checkId(id)
    const { near, updates } = this.parts
    const newId = this.newId()
    const lifeMs = this.ttlOf(ttlMs)
    await updates.move(id, async (current) => {
      await near.write(newId, current.text, lifeMs)
      return (await near.destroy(id, current.version)) !== 'conflict'
    })
    return newId
  }

  /** Ids that are kept, at most `limit`, in no order. It looks at everything: for tools. */
  all(limit = 1000): Promise<readonly string[]> {
    return this.parts.near.store.ids(limit)
  }

  /** Forgets all sessions, and which were destroyed. */
  clear(): Promise<void> {
    return this.parts.near.clear()
  }

  status(): SessionsStatus {
    const { store, cache } = this.parts.near
    return { ...store.status(), near: { entries: cache.size, hits: cache.hits, misses: cache.misses } }
  }

  /** Ends the connections of the store; nothing can be asked afterwards. */
  close(): Promise<void> {
    return this.parts.near.store.close()
  }

  private inOutage(id: string, error: unknown): Current {
    const { near, settings } = this.parts
    if (!(error instanceof SessionStoreError) || settings.onOutage !== 'read-cached') throw error
    const last = near.last(id)
    if (last === undefined) throw error
    return last
  }

  private checkId(id: unknown): void {
    if (!this.ids.isOurs(id)) throw new SessionIdError('that is no session id of ours')
  }

  private ttlOf(ttlMs = this.settings.ttlMs): number {
    if (!(ttlMs > 0)) throw new RangeError(`ttlMs: expected a number above 0, got ${ttlMs}`)
    return Math.ceil(Math.min(ttlMs, MAX_TTL_MS))
  }
}

export interface SessionsOptions<Value> {
  /** Left out: signed with the secrets of the settings. */
  readonly ids?: SessionIds
  /** Left out: JSON. */
  readonly codec?: SessionCodec<Value>
  /** 0 to 1. */
  readonly chance?: () => number
  /** A clock in milliseconds that never goes back. */
  readonly now?: () => number
}

/** Sessions on a store of any kind. Throws RangeError when ids are to be signed and there is no secret. */
export function sessionsOn<Value = unknown>(
  store: SessionStore,
  settings: SessionSettings,
  { ids, codec, chance = Math.random, now = () => performance.now() }: SessionsOptions<Value> = {},
): Sessions<Value> {
  const near = new NearStore(store, settings.nearCache, now)
  return new Sessions<Value>({
    near,
    settings,
    updates: new SessionUpdates(near, { attempts: settings.updateAttempts, chance, now }),
    ids: ids ?? signedIds(settings.secrets),
    codec: codec ?? (jsonCodec as SessionCodec<Value>),
  })
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
