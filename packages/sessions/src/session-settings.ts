// How sessions are kept, as the config says it: plain data, which a worker gets at its start.

/** What requests get while the store can't be asked. `fail`: 503. `read-cached`: what this worker still has, and 503 for the rest. `anonymous`: no session. */
export type OnOutage = 'fail' | 'read-cached' | 'anonymous'

export interface SessionSettings {
  /**
   * Redis: `redis://user:password@host:port/db`, `rediss://…` with TLS, `redis+sentinel://host:port,host:port/master-name`, `redis+cluster://host:port,host:port`; the last two with
   * `rediss+…` too. Undefined: the embedded store.
   */
  readonly url: string | undefined
  /** PEM files for TLS. */
  readonly tls: { readonly ca?: string | undefined; readonly cert?: string | undefined; readonly key?: string | undefined } | undefined
  /** Keys in Redis begin with `{prefix:id}`. */
  readonly keyPrefix: string
  /** Sign ids: the first signs, all are believed. Base64url. */
  readonly secrets: readonly string[]
  /** A session that nobody has touched for so long is forgotten. */
  readonly ttlMs: number
  /** For so long a session that was destroyed can't be written again: longer than any request takes. */
  readonly tombstoneMs: number
  /** Of the text of one session. */
  readonly maxValueBytes: number
  /** Of the embedded store: beyond it the one that has not been used for longest goes. */
  readonly maxSessions: number
  /** And so it is when their texts are larger than this together. */
  readonly maxBytes: number
  /** No command takes longer; then it has failed. */
  readonly commandTimeoutMs: number
  /** How often `update` tries when others write at the same time. */
  readonly updateAttempts: number
  readonly onOutage: OnOutage
  /** What a worker keeps of what it has read. `maxAgeMs`: nothing in it is older. Undefined: it keeps nothing. */
  readonly nearCache: { readonly maxEntries: number; readonly maxAgeMs: number } | undefined
  /** After so many failures in a row the store is not asked for `openMs`; then one command tries. */
  readonly breaker: { readonly failures: number; readonly openMs: number }
  /** The cookie of `sessions(request, response)`. */
  readonly cookie: SessionCookieSettings
}

export interface SessionCookieSettings {
  readonly name: string
  readonly path: string
  readonly domain: string | undefined
  readonly sameSite: 'lax' | 'strict' | 'none'
  /** `auto`: where the request came over TLS, as a trusted proxy says. */
  readonly secure: boolean | 'auto'
}

export const sessionDefaults: SessionSettings = {
  url: undefined,
  tls: undefined,
  keyPrefix: 'switchyard',
  secrets: [],
  ttlMs: 86_400_000,
  tombstoneMs: 300_000,
  maxValueBytes: 65_536,
  maxSessions: 100_000,
  maxBytes: 268_435_456,
  commandTimeoutMs: 500,
  updateAttempts: 32,
  onOutage: 'fail',
  nearCache: { maxEntries: 10_000, maxAgeMs: 5_000 },
  breaker: { failures: 5, openMs: 1_000 },
  cookie: { name: 'session', path: '/', domain: undefined, sameSite: 'lax', secure: 'auto' },
}
