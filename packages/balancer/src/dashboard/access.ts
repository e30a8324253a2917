// One-time tokens and the sessions that they open. All of them end with the process. Kept as hashes, so a lookup takes the same time for any guess.

import { createHash, timingSafeEqual } from 'node:crypto'

export interface AccessOptions {
  /** Milliseconds. */
  readonly now: () => number
  /** So many random bytes, as text that may stand in a URL and in a cookie. */
  readonly random: (bytes: number) => string
}

/** What a browser gets for a token. It needs both to act: a cookie is sent to every port of a host, so the app on port 3000 may see it. */
export interface NewSession {
  /** Goes into an HttpOnly cookie, which scripts can't read. */
  readonly id: string
  /** Goes into the storage of the page, which other ports can't read. */
  readonly key: string
}

export const TOKEN_TTL_MS = 5 * 60_000
export const SESSION_TTL_MS = 12 * 3_600_000
export const MAX_TOKENS = 16
export const MAX_SESSIONS = 32
const SECRET_BYTES = 32

interface Session {
  readonly keyHash: Buffer
  readonly untilMs: number
}

export class Access {
  private readonly options: AccessOptions
  /** When each ends, by hash; the oldest first. */
  private readonly tokens = new Map<string, number>()
  private readonly sessions = new Map<string, Session>()

  constructor(options: AccessOptions) {
    this.options = options
  }

  /** A token that opens one session within TOKEN_TTL_MS. */
  createToken(): string {
    const { now, random } = this.options
    const token = random(SECRET_BYTES)
    this.tokens.set(nameOf(token), now() + TOKEN_TTL_MS)
    dropOldest(this.tokens, MAX_TOKENS)
    return token
  }

  /** undefined: the token was used, is too old, or was never given. */
  openSession(token: string): NewSession | undefined {
    const { now, random } = this.options
    const untilMs = this.tokens.get(nameOf(token))
    this.tokens.delete(nameOf(token))
    if (untilMs === undefined || untilMs <= now()) return undefined
    const session = { id: random(SECRET_BYTES), key: random(SECRET_BYTES) }
    this.sessions.set(nameOf(session.id), { keyHash: hash(session.key), untilMs: now() + SESSION_TTL_MS })
    dropOldest(this.sessions, MAX_SESSIONS)
    return session
  }

  isOpen(id: string | undefined): boolean {
    return this.find(id) !== undefined
  }

  mayAct(id: string | undefined, key: string | undefined): boolean {
    const session = this.find(id)
    return session !== undefined && key !== undefined && timingSafeEqual(session.keyHash, hash(key))
  }

  endSession(id: string | undefined): void {
    if (id !== undefined) this.sessions.delete(nameOf(id))
  }

  private find(id: string | undefined): Session | undefined {
    if (id === undefined) return undefined
    const session = this.sessions.get(nameOf(id))
    if (session === undefined || session.untilMs > this.options.now()) return session
    this.endSession(id)
    return undefined
  }
}

function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

function nameOf(secret: string): string {
  return hash(secret).toString('base64')
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  for (const name of map.keys()) {
    if (map.size <= most) return
    map.delete(name)
  }
}
