// Sessions as an app sees them: values by id, on any store. Decides what each operation means, and what happens in an outage.

import { type Current, NearStore } from './near-store.ts'
import { jsonCodec, readValue, type SessionCodec, writeValue } from './session-codec.ts'
import { type SessionIds, signedIds } from './session-id.ts'
import type { SessionSettings } from './session-settings.ts'
import { MAX_TTL_MS, SessionIdError, type SessionStore, SessionStoreError, type SessionStoreStatus } from './session-store.ts'
import { SessionUpdates } from './session-updates.ts'

export interface SessionsInternals<Value> {
  readonly near: NearStore
  readonly updates: SessionUpdates
  readonly settings: SessionSettings
  readonly ids: SessionIds
  readonly codec: SessionCodec<Value>
}

/** A value and its remaining time to live. */
export interface FoundSession<Value> {
  readonly value: Value
  readonly ttlMs: number
}

export interface SessionsStatus extends SessionStoreStatus {
  /** The cache of this process: entries, and reads that it could and could not answer. */
  readonly near: { readonly entries: number; readonly hits: number; readonly misses: number }
}

/**
 * Every method that uses the store rejects with SessionStoreError (503) if the store is unreachable or does not answer within
 * `commandTimeoutMs`. `ttlMs` defaults to `ttlMs` of the settings.
 */
export class Sessions<Value = unknown> {
  readonly settings: SessionSettings
  readonly ids: SessionIds
  private readonly internals: SessionsInternals<Value>

  constructor(internals: SessionsInternals<Value>) {
    this.internals = internals
    this.settings = internals.settings
    this.ids = internals.ids
  }

  /** The same sessions with other ids or another codec. */
  as<Other = Value>(options: { readonly ids?: SessionIds; readonly codec?: SessionCodec<Other> }): Sessions<Other> {
    const { ids, codec, ...rest } = this.internals
    return new Sessions<Other>({ ...rest, ids: options.ids ?? ids, codec: options.codec ?? (codec as unknown as SessionCodec<Other>) })
  }

  /** An id for a new session. */
  newId(): string {
    return this.ids.make()
  }

  /** Was the id issued by this balancer? Other ids never reach the store. */
  isOurs(id: unknown): id is string {
    return this.ids.isOurs(id)
  }

  /**
   * Resolves with the value, or undefined if there is no session or the id is not ours. While the store is unreachable `onOutage` decides:
   * it rejects with SessionStoreError (`fail`), resolves with the cached value if there is one (`read-cached`), or resolves with undefined
   * (`anonymous`). Rejects with SessionValueError if the codec can't decode the value.
   */
  async get(id: string): Promise<Value | undefined> {
    try {
      return (await this.find(id))?.value
    } catch (error) {
      if (error instanceof SessionStoreError && this.settings.onOutage === 'anonymous') return undefined
      throw error
    }
  }

  /**
   * As `get`, with the remaining time to live. Rejects with `anonymous` too: an adapter must not start a new session for a visitor who may
   * have one.
   */
  async find(id: string): Promise<FoundSession<Value> | undefined> {
    const { near, ids, codec } = this.internals
    if (!ids.isOurs(id)) return undefined
    const current = near.fresh(id) ?? (await near.read(id).catch((error) => this.latestOrThrow(id, error)))
    return typeof current === 'string' ? undefined : { value: readValue(current.text, codec), ttlMs: near.remainingMs(current) }
  }

  /** Replaces the value. Resolves with false if the session was destroyed. Rejects with SessionValueError and SessionIdError too. */
  async set(id: string, value: Value, ttlMs?: number): Promise<boolean> {
    this.checkId(id)
    const { near, codec, settings } = this.internals
    const text = writeValue(value, codec, settings.maxValueBytes)
    return (await near.write(id, text, this.ttlOf(ttlMs))) === true
  }

  /**
   * Changes the value without losing concurrent writes. `change` gets the current value, undefined without a session, and returns the next
   * one, or modifies the one that it got. It is synchronous and has no side effects, for it runs again if another process wrote in between.
   * If it throws, nothing is written and the promise rejects with the same error. Resolves with the current value, or undefined if the
   * session was destroyed or there is none. Rejects with SessionValueError and SessionIdError too, and with SessionConflictError after
   * `updateAttempts`.
   */
  async update(id: string, change: (value: Value | undefined) => Value | undefined, ttlMs?: number): Promise<Value | undefined> {
    this.checkId(id)
    const { updates, codec, settings } = this.internals
    let value: Value | undefined
    const isThere = await updates.run(id, this.ttlOf(ttlMs), (text) => {
      const before = text === undefined ? undefined : readValue(text, codec)
      const after = change(before)
      if (isThenable(after)) throw new TypeError('the change of a session must be synchronous: it returned a promise')
      value = after ?? before
      if (value === undefined) return undefined
      const next = writeValue(value, codec, settings.maxValueBytes)
      return after === undefined && next === text ? undefined : next
    })
    return isThere ? value : undefined
  }

  /**
   * Keeps the session for `ttlMs` from now. Resolves with false if there is none, and, unless `onOutage` is `fail`, while the store is
   * unreachable.
   */
  async touch(id: string, ttlMs?: number): Promise<boolean> {
    const { near, ids, settings } = this.internals
    if (!ids.isOurs(id)) return false
    try {
      return await near.touch(id, this.ttlOf(ttlMs))
    } catch (error) {
      if (error instanceof SessionStoreError && settings.onOutage !== 'fail') return false
      throw error
    }
  }

  /** Ends the session: a request that is still running can't write it back. Resolves with false if there was none. */
  async destroy(id: string): Promise<boolean> {
    return this.internals.ids.isOurs(id) && (await this.internals.near.destroy(id)) === true
  }

  /**
   * Moves a session to a new id and ends the old one. Call it at every login: the old id may be known to others. Resolves with the new id,
   * which is free if there was no session. Rejects with SessionIdError too, and with SessionConflictError after `updateAttempts`.
   */
  async regenerate(id: string, ttlMs?: number): Promise<string> {
    this.checkId(id)
    const { near, updates } = this.internals
    const newId = this.newId()
    const lifeMs = this.ttlOf(ttlMs)
    await updates.move(id, async (current) => {
      await near.write(newId, current.text, lifeMs)
      return (await near.destroy(id, current.version)) !== 'conflict'
    })
    return newId
  }

  /** At most `limit` ids, in no order. For tools: it scans the whole store. */
  all(limit = 1000): Promise<readonly string[]> {
    return this.internals.near.store.ids(limit)
  }

  /** Removes all sessions and tombstones. */
  clear(): Promise<void> {
    return this.internals.near.clear()
  }

  status(): SessionsStatus {
    const { store, cache } = this.internals.near
    return { ...store.status(), near: { entries: cache.size, hits: cache.hits, misses: cache.misses } }
  }

  /** Closes the store and its connections. */
  close(): Promise<void> {
    return this.internals.near.store.close()
  }

  private latestOrThrow(id: string, error: unknown): Current {
    const { near, settings } = this.internals
    if (!(error instanceof SessionStoreError) || settings.onOutage !== 'read-cached') throw error
    const latest = near.latest(id)
    if (latest === undefined) throw error
    return latest
  }

  private checkId(id: unknown): void {
    if (!this.ids.isOurs(id)) throw new SessionIdError('this session id was not issued here')
  }

  private ttlOf(ttlMs = this.settings.ttlMs): number {
    if (!(ttlMs > 0)) throw new RangeError(`ttlMs: expected a number above 0, got ${ttlMs}`)
    return Math.ceil(Math.min(ttlMs, MAX_TTL_MS))
  }
}

export interface SessionsOptions<Value> {
  /** Default: ids signed with the secrets of the settings. */
  readonly ids?: SessionIds
  /** Default: JSON. */
  readonly codec?: SessionCodec<Value>
  /** Random numbers from 0 to 1. */
  readonly chance?: () => number
  /** A monotonic clock, in milliseconds. */
  readonly now?: () => number
}

/** Sessions on any store. Throws RangeError if ids are to be signed and there is no secret. */
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
