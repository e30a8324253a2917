// The seam: where sessions are kept, each as a text with a version. One contract suite runs over every implementation.

/** Ten years: the longest time to live. */
export const MAX_TTL_MS = 315_360_000_000

/** What is kept under an id. `ended`: destroyed a short while ago, and nothing can be written there. */
export type Found =
  | { readonly state: 'absent' | 'ended' }
  | { readonly state: 'kept'; readonly version: number; readonly text: string; readonly ttlMs: number }
  /** The version that the caller said it has. */
  | { readonly state: 'same'; readonly ttlMs: number }

export type Written =
  | { readonly state: 'written'; readonly version: number }
  /** Another has written since the version that was expected: this is what is there now. */
  | { readonly state: 'conflict'; readonly found: Found }
  /** It was destroyed: it stays so. */
  | { readonly state: 'ended' }

/** Writes are done when their promise resolves. Every method rejects with `SessionStoreError` within `commandTimeoutMs` when the store can't be asked. */
export interface SessionStore {
  /** `known`: a version that the caller has; its text is not sent again. */
  read(id: string, known?: number): Promise<Found>
  /** Replaces the whole. `expected`: only if that is the version there, 0: only if nothing is; left out: in any case, but for `ended`. */
  write(id: string, text: string, ttlMs: number, expected?: number): Promise<Written>
  /** It is kept for `ttlMs` from now. Resolves with false when it is not there. */
  touch(id: string, ttlMs: number): Promise<boolean>
  /**
   * From now on, and for `tombstoneMs`, it is `ended`. Resolves with false when it was not there; it is `ended` all the same. `expected`: only if that is the
   * version there; when another version is, nothing happens and it resolves with `conflict`.
   */
  destroy(id: string, expected?: number): Promise<boolean | 'conflict'>
  /** The ids that are kept, in no order; at most `limit`. For tools: it looks at everything. */
  ids(limit: number): Promise<readonly string[]>
  /** Forgets everything, tombstones too. */
  clear(): Promise<void>
  /**
   * Can others say what has changed? Then `listener` hears of every id that somebody else writes or destroys after this worker has read or written it;
   * undefined: it may be any. `onHearing` is told when it can't hear for a while, and when it hears again; before it returns, if that is so at the start.
   * Called once at most.
   */
  onChanged(listener: (id: string | undefined) => void, onHearing?: (hears: boolean) => void): boolean
  /** Has `listener` heard of every write elsewhere that was done before this moment? Left out: that can't be known. */
  hasHeardAll?(): boolean
  /** How it is with it. */
  status(): SessionStoreStatus
  close(): Promise<void>
}

export interface SessionStoreStatus {
  readonly kind: 'embedded' | 'redis'
  /** `down`: it is not asked for a while, since it did not answer. */
  readonly state: 'up' | 'down'
  /** Commands, those that failed, and the sum of what they took, since the start of this process. */
  readonly commands: number
  readonly failed: number
  readonly sumMs: number
}

/** The store could not be asked, or has not answered in time. What was to be written may have been. Express and Fastify answer with its status. */
export class SessionStoreError extends Error {
  override readonly name = 'SessionStoreError'
  readonly code = 'ERR_SESSION_STORE'
  readonly status = 503
  readonly statusCode = 503
  readonly headers = { 'retry-after': '1' }
}

/** That is no id that this process could have given. */
export class SessionIdError extends Error {
  override readonly name = 'SessionIdError'
  readonly code = 'ERR_SESSION_ID'
  readonly status = 400
  readonly statusCode = 400
}

/** The session is larger than `maxValueBytes`, or can't be written as a text. */
export class SessionValueError extends Error {
  override readonly name = 'SessionValueError'
  readonly code = 'ERR_SESSION_VALUE'
}

/** So many others wrote at the same time that `updateAttempts` were not enough. */
export class SessionConflictError extends Error {
  override readonly name = 'SessionConflictError'
  readonly code = 'ERR_SESSION_CONFLICT'
  readonly status = 503
  readonly statusCode = 503
}
