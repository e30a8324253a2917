// Sessions in the shape that stores have had since Connect: callbacks, and inside each session a cookie that says how long it lives.

import { foreignIds, SessionStoreError, type Sessions } from '@switchyard/sessions'
import { openSessions } from './open-sessions.ts'

/** What express-session and @fastify/session keep: whatever the app has put there, and the cookie. */
export interface CookieSession {
  cookie?: { expires?: Date | string | number | null | undefined; toJSON?(): object } | undefined
  /** The store can't be asked, and `onOutage` is `anonymous`: this is why there is nothing in it. What is put there can't be saved. */
  outage?: SessionStoreError | undefined
}

/** As the types of the framework have it. */
// biome-ignore lint/suspicious/noExplicitAny: each framework has its own, and each app adds to it
export type StoredSession = any

export type ListedSession = CookieSession & { id: string }

export type Callback<Result = void> = (error: unknown, result?: Result) => void

export interface CallbackStoreOptions {
  /** Left out: the sessions of this process. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the app keeps in them
  readonly sessions?: Sessions<any>
  /** How long a session lives whose cookie does not say when it ends. Left out: `ttlMs` of the sessions. */
  readonly ttlMs?: number | ((session: CookieSession) => number)
}

/**
 * Every method calls `callback` if it is given one, and gives a promise, which then never rejects. Errors are `SessionStoreError` when the store can't be asked,
 * and `SessionValueError` for what it does not take.
 */
export interface CallbackStore {
  /** The same sessions for changes that must not get lost: `store.sessions.update(id, change)`. */
  readonly sessions: Sessions<CookieSession>
  /** An id of ours: 128 random bits, signed. As `genid` of express-session, or `idGenerator` of @fastify/session. */
  newId(): string
  get(id: string, callback?: Callback<StoredSession>): Promise<StoredSession>
  /** A session that was destroyed stays so, and nobody is told: whoever saves late can't know. */
  set(id: string, session: CookieSession, callback?: Callback): Promise<void>
  /** It lives on for as long as its cookie says, or `ttlMs`; what is in it is not written. */
  touch(id: string, session: CookieSession, callback?: Callback): Promise<void>
  destroy(id: string, callback?: Callback): Promise<void>
  length(callback?: Callback<number>): Promise<number | undefined>
  ids(callback?: Callback<string[]>): Promise<string[] | undefined>
  /** Each with its `id`. Reads everything there is: for tools. */
  all(callback?: Callback<ListedSession[]>): Promise<ListedSession[] | undefined>
  clear(callback?: Callback): Promise<void>
}

/** Tools see no more than so many sessions. */
const LISTED = 1_000_000
const READ_AT_ONCE = 100
/** Less than that is the time that a command takes. */
const MOVED_MS = 1_000

export function callbackStore({
  sessions: given = openSessions(),
  ttlMs = given.settings.ttlMs,
}: CallbackStoreOptions = {}): CallbackStore {
  // The framework may make ids of its own, and has signed them in its cookie.
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
    // Its end moves with every touch, which does not write it.
    const expires = Date.now() + ttlMs
    const isMoved = Math.abs(new Date(cookie.expires).getTime() - expires) > MOVED_MS
    return isMoved ? { ...value, cookie: { ...cookie, expires: new Date(expires).toISOString() } } : value
  }

  async function get(id: string): Promise<CookieSession | undefined> {
    try {
      return await find(id)
    } catch (error) {
      if (!isAnonymous || !(error instanceof SessionStoreError)) throw error
      // With an id of its own, or the visitor would get another and lose what is in this one.
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
    return [...(await sessions.all(LISTED))]
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
    get: (id, callback) => answer(get(id), callback),
    set: (id, session, callback) => answer(set(id, session), callback),
    touch: (id, session, callback) => answer(touch(id, session), callback),
    destroy: (id, callback) => answer(destroy(id), callback),
    length: (callback) =>
      answer(
        ids().then(({ length }) => length),
        callback,
      ),
    ids: (callback) => answer(ids(), callback),
    all: (callback) => answer(all(), callback),
    clear: (callback) => answer(sessions.clear(), callback),
  }
}

/** What the frameworks hand over is an object of a class of theirs; a codec gets plain data. */
function plain(session: CookieSession): CookieSession {
  const { cookie } = session
  return { ...session, ...(typeof cookie?.toJSON === 'function' ? { cookie: cookie.toJSON() } : {}) }
}

async function answer<Result>(work: Promise<Result>, callback: Callback<Result> | undefined): Promise<Result | undefined> {
  if (callback === undefined) return work
  // Outside of the promise: what the callback throws is the app's own error, not a rejection that nobody awaits.
  try {
    const result = await work
    process.nextTick(callback, null, result)
    return result
  } catch (error) {
    process.nextTick(callback, error)
    return undefined
  }
}
