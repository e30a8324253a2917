// Settings of sessions, as plain data: the primary reads them from the config and sends them to each worker at its start.

/**
 * The result for a request while the store is unreachable. `fail`: 503. `read-cached`: cached sessions, 503 for others. `anonymous`: no
 * session.
 */
export type OnOutage = 'fail' | 'read-cached' | 'anonymous'

export interface SessionSettings {
  /**
   * Redis: `redis://user:password@host:port/db`, `redis+sentinel://host:port,host:port/master-name` or
   * `redis+cluster://host:port,host:port`; `rediss` instead of `redis` uses TLS. Undefined: the embedded store.
   */
  readonly url: string | undefined
  /** PEM files for TLS. */
  readonly tls: { readonly ca?: string | undefined; readonly cert?: string | undefined; readonly key?: string | undefined } | undefined
  /** Keys in Redis have the form `{prefix:id}`. */
  readonly keyPrefix: string
  /** Keys that sign ids, in base64url. The first one signs; all of them verify. */
  readonly secrets: readonly string[]
  /** A session expires when it has not been touched for so long. */
  readonly ttlMs: number
  /** A destroyed session can't be written again for so long. Longer than any request takes. */
  readonly tombstoneMs: number
  /** Largest encoded session. */
  readonly maxValueBytes: number
  /** Embedded store: beyond this count the least recently used session is evicted. */
  readonly maxSessions: number
  /** Embedded store: the same for the total size of all texts. */
  readonly maxBytes: number
  /** A command fails after so long. */
  readonly commandTimeoutMs: number
  /** Attempts of `update` when other writers win. */
  readonly updateAttempts: number
  readonly onOutage: OnOutage
  /** Each worker's cache of sessions it has read. Entries are used for at most `maxAgeMs`. Undefined: no cache. */
  readonly nearCache: { readonly maxEntries: number; readonly maxAgeMs: number } | undefined
  /** After so many failures in a row the store gets no commands for `openMs`. Then one command tries. */
  readonly breaker: { readonly failures: number; readonly openMs: number }
  /** The cookie of `sessions(request, response)`. */
  readonly cookie: SessionCookieSettings
}

export interface SessionCookieSettings {
  readonly name: string
  readonly path: string
  readonly domain: string | undefined
  readonly sameSite: 'lax' | 'strict' | 'none'
  /** `auto`: secure if the request came over TLS, directly or through a trusted proxy. */
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
