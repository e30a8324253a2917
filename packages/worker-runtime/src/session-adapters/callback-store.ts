// A session store with the interface of Connect, which express-session and @fastify/session use: callbacks, and a cookie in each session
// that holds its expiry.

import { foreignIds, SessionStoreError, type Sessions } from '@switchyard/sessions'
import { openSessions } from './open-sessions.ts'

/** A session of express-session or @fastify/session: the values of the app, and the cookie. */
export interface CookieSession {
  cookie?: { expires?: Date | string | number | null | undefined; toJSON?(): object } | undefined
  /** Set while the store is unreachable and `onOutage` is `anonymous`: the session is empty and can't be saved. */
  outage?: SessionStoreError | undefined
}

/** The session type of the framework. */
// biome-ignore lint/suspicious/noExplicitAny: each framework has its own type, and each app extends it
export type StoredSession = any

export type ListedSession = CookieSession & { id: string }

export type Callback<Result = void> = (error: unknown, result?: Result) => void

export interface CallbackStoreOptions {
  /** Default: the sessions of this process. */
  // biome-ignore lint/suspicious/noExplicitAny: the type of the values is up to the app
  readonly sessions?: Sessions<any>
  /** Time to live of a session whose cookie has no expiry. Default: `ttlMs` of the sessions. */
  readonly ttlMs?: number | ((session: CookieSession) => number)
}

/**
 * Every method returns a promise. With a `callback`, the result or error goes to the callback and the promise never rejects.
 * Errors: `SessionStoreError` if the store is unreachable, `SessionValueError` if the session can't be stored.
 */
export interface CallbackStore {
  /** The same sessions, for updates that lose no concurrent write: `store.sessions.update(id, change)`. */
  readonly sessions: Sessions<CookieSession>
  /** A signed id of 128 random bits, for `genid` of express-session or `idGenerator` of @fastify/session. */
  newId(): string
  get(id: string, callback?: Callback<StoredSession>): Promise<StoredSession>
  /** Does nothing, and reports no error, if the session was destroyed: a request that saves late can't know that. */
  set(id: string, session: CookieSession, callback?: Callback): Promise<void>
  /** Extends the session to the expiry of its cookie, or by `ttlMs`, without writing its values. */
  touch(id: string, session: CookieSession, callback?: Callback): Promise<void>
  destroy(id: string, callback?: Callback): Promise<void>
  length(callback?: Callback<number>): Promise<number | undefined>
  ids(callback?: Callback<string[]>): Promise<string[] | undefined>
  /** All sessions, each with its `id`. For tools: it reads the whole store. */
  all(callback?: Callback<ListedSession[]>): Promise<ListedSession[] | undefined>
  clear(callback?: Callback): Promise<void>
}

/** Limit of `length`, `ids` and `all`. */
const MAX_LISTED = 1_000_000
const READ_AT_ONCE = 100
/** A smaller difference of two expiry times is only the duration of a command. */
const MOVED_MS = 1_000

export function callbackStore({
  sessions: given = openSessions(),
  ttlMs = given.settings.ttlMs,
}: CallbackStoreOptions = {}): CallbackStore {
  // The framework may make the ids, and signs them in its cookie.
  const sessions: Sessions<CookieSession> = given.as({ ids: { make: () => given.newId(), isOurs: foreignIds().isOurs } })
  const isAnonymous = sessions.settings.onOutage === 'anonymous'

  function lifetimeOf(session: CookieSession): number {
    const expires = session.cookie?.expires
    if (expires !== undefined && expires !== null) return new Date(expires).getTime() - Date.now()
    return typeof ttlMs === 'function' ? ttlMs(session) : ttlMs
  }

  async function find(id: string): Promise<CookieSession | undefined> {
    const found = await sessions.find(id)
    if (found === undefined) return undefined
    const { value, ttlMs } = found
    const { cookie } = value
    if (!cookie?.expires) return value
    // The expiry in the stored cookie is outdated: a touch extends the session without writing it.
    const expires = Date.now() + ttlMs
    const isMoved = Math.abs(new Date(cookie.expires).getTime() - expires) > MOVED_MS
    return isMoved ? { ...value, cookie: { ...cookie, expires: new Date(expires).toISOString() } } : value
  }

  async function get(id: string): Promise<CookieSession | undefined> {
    try {
      return await find(id)
    } catch (error) {
      if (!isAnonymous || !(error instanceof SessionStoreError)) throw error
      // Not undefined: the framework would give the visitor a new id, and the session would be lost after the outage.
      return { cookie: { expires: null }, outage: error }
    }
  }

  async function set(id: string, session: CookieSession): Promise<void> {
    if (session.outage instanceof SessionStoreError) {
      if (Object.keys(session).every((name) => name === 'cookie' || name === 'outage')) return
      throw session.outage
    }
    const ttlMs = lifetimeOf(session)
    await (ttlMs > 0 ? sessions.set(id, plain(session), ttlMs) : sessions.destroy(id))
  }

  async function touch(id: string, session: CookieSession): Promise<void> {
    if (session.outage instanceof SessionStoreError) return
    const ttlMs = lifetimeOf(session)
    await (ttlMs > 0 ? sessions.touch(id, ttlMs) : sessions.destroy(id))
  }

  async function destroy(id: string): Promise<void> {
    await sessions.destroy(id)
  }

  async function ids(): Promise<string[]> {
    return [...(await sessions.all(MAX_LISTED))]
  }

  async function all(): Promise<ListedSession[]> {
    const listed = await ids()
    const all: ListedSession[] = []
    for (let start = 0; start < listed.length; start += READ_AT_ONCE) {
      const some = listed.slice(start, start + READ_AT_ONCE)
      const found = await Promise.all(some.map(async (id) => ({ id, session: await find(id) })))
      for (const { id, session } of found) if (session !== undefined) all.push({ ...session, id })
    }
    return all
  }

  return {
    sessions,
    newId: () => sessions.newId(),
    get: (id, callback) => settle(get(id), callback),
    set: (id, session, callback) => settle(set(id, session), callback),
    touch: (id, session, callback) => settle(touch(id, session), callback),
    destroy: (id, callback) => settle(destroy(id), callback),
    length: (callback) =>
      settle(
        ids().then(({ length }) => length),
        callback,
      ),
    ids: (callback) => settle(ids(), callback),
    all: (callback) => settle(all(), callback),
    clear: (callback) => settle(sessions.clear(), callback),
  }
}

/** Plain data for the codec: the cookie is an object of a class of the framework. */
function plain(session: CookieSession): CookieSession {
  const { cookie } = session
  return { ...session, ...(typeof cookie?.toJSON === 'function' ? { cookie: cookie.toJSON() } : {}) }
}

async function settle<Result>(work: Promise<Result>, callback: Callback<Result> | undefined): Promise<Result | undefined> {
  if (callback === undefined) return work
  // Outside of the promise: an error that the callback throws is uncaught, as in any callback, not an unhandled rejection.
  try {
    const result = await work
    process.nextTick(callback, null, result)
    return result
  } catch (error) {
    process.nextTick(callback, error)
    return undefined
  }
}
