// The interface of a session store, and its errors. A session is kept as a text with a version. One contract suite runs over every
// implementation.

/** Ten years: the longest time to live. */
export const MAX_TTL_MS = 315_360_000_000

/** What the store has under an id. `ended`: the session was destroyed less than `tombstoneMs` ago, and the id can't be written. */
export type Found =
  | { readonly state: 'absent' | 'ended' }
  | { readonly state: 'kept'; readonly version: number; readonly text: string; readonly ttlMs: number }
  /** The version that the caller named. */
  | { readonly state: 'same'; readonly ttlMs: number }

export type Written =
  | { readonly state: 'written'; readonly version: number }
  /** The version was not the expected one. `found` is the current one. */
  | { readonly state: 'conflict'; readonly found: Found }
  /** The session was destroyed. Nothing is written. */
  | { readonly state: 'ended' }

/**
 * A write is done when its promise resolves. Every method rejects with `SessionStoreError` within `commandTimeoutMs` if the store is
 * unreachable.
 */
export interface SessionStore {
  /** `known`: the version that the caller already has. The store does not send its text again. */
  read(id: string, known?: number): Promise<Found>
  /**
   * Replaces the session. `expected`: writes only over that version; 0: only if there is no session. Left out: always, unless the session
   * is `ended`.
   */
  write(id: string, text: string, ttlMs: number, expected?: number): Promise<Written>
  /** Keeps the session for `ttlMs` from now. Resolves with false if there is none. */
  touch(id: string, ttlMs: number): Promise<boolean>
  /**
   * Ends the session: for `tombstoneMs` the id is `ended`, even if there was no session, which resolves with false.
   * `expected`: only if the session has that version. Otherwise nothing changes, and the promise resolves with `conflict`.
   */
  destroy(id: string, expected?: number): Promise<boolean | 'conflict'>
  /** At most `limit` ids, in no order. For tools: it scans the whole store. */
  ids(limit: number): Promise<readonly string[]>
  /** Removes all sessions and tombstones. */
  clear(): Promise<void>
  /**
   * Subscribes to changes that other processes make. False: this store can't report them. `listener` gets each id that another process
   * writes or destroys after this one read or wrote it. Undefined: any id may have changed. `onListening` reports when the subscription
   * fails and when it works again. It is called before this method returns if the subscription is not there yet. Called at most once.
   */
  onChanged(listener: (id: string | undefined) => void, onListening?: (isListening: boolean) => void): boolean
  /** Has `listener` been called for every write that other processes finished before now? Left out: the store can't know. */
  hasHeardAll?(): boolean
  status(): SessionStoreStatus
  close(): Promise<void>
}

export interface SessionStoreStatus {
  readonly kind: 'embedded' | 'redis'
  /** `down`: the store did not answer, and gets no commands for a while. */
  readonly state: 'up' | 'down'
  /** Since this process started: commands, failed ones included; failed commands; their total duration. */
  readonly commands: number
  readonly failed: number
  readonly sumMs: number
}

/** The store is unreachable or did not answer in time. A write may have happened. Express and Fastify answer with `status`. */
export class SessionStoreError extends Error {
  override readonly name = 'SessionStoreError'
  readonly code = 'ERR_SESSION_STORE'
  readonly status = 503
  readonly statusCode = 503
  readonly headers = { 'retry-after': '1' }
}

/** The id was not issued by this balancer. */
export class SessionIdError extends Error {
  override readonly name = 'SessionIdError'
  readonly code = 'ERR_SESSION_ID'
  readonly status = 400
  readonly statusCode = 400
}

/** The session is larger than `maxValueBytes`, or the codec can't encode or decode it. */
export class SessionValueError extends Error {
  override readonly name = 'SessionValueError'
  readonly code = 'ERR_SESSION_VALUE'
}

/** Concurrent writers won all `updateAttempts`. */
export class SessionConflictError extends Error {
  override readonly name = 'SessionConflictError'
  readonly code = 'ERR_SESSION_CONFLICT'
  readonly status = 503
  readonly statusCode = 503
}
