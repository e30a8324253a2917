// The session of one visitor during one request, or while a websocket is open. Needs no framework.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { SessionStoreError, type Sessions } from '@switchyard/sessions'
import { openSessions } from './open-sessions.ts'
import { SessionCookie } from './session-cookie.ts'

/** The session that the cookie of a request names. */
export interface HeldSession<Value> {
  readonly id: string
  readonly value: Value
}

export interface RequestSessionOptions<Value> {
  readonly sessions: Sessions<Value>
  readonly cookie: SessionCookie
  readonly held: HeldSession<Value> | undefined
  readonly outage: SessionStoreError | undefined
}

/**
 * Nothing is written unless a method is called. A write is done when its promise resolves. Every method rejects with `SessionStoreError` if
 * the store is unreachable. The first write for a visitor without a session makes an id and sets the cookie. It must come before the head
 * of the response.
 */
export class RequestSession<Value extends object> {
  /** Set if the store was unreachable and `onOutage` is `anonymous`. Every write rejects with it. */
  readonly outage: SessionStoreError | undefined
  private readonly sessions: Sessions<Value>
  private readonly cookie: SessionCookie
  private held: HeldSession<Value> | undefined
  /** The id for the first write, if the visitor has no session. */
  private newId: string | undefined

  constructor({ sessions, cookie, held, outage }: RequestSessionOptions<Value>) {
    this.sessions = sessions
    this.cookie = cookie
    this.held = held
    this.outage = outage
  }

  /** Undefined while the visitor has no session. */
  get id(): string | undefined {
    return this.held?.id
  }

  /** The value as it was last read or written. Modifying it does not write it: call `update`. */
  get value(): Value | undefined {
    return this.held?.value
  }

  /** Reads the current value. For websockets: other requests may have changed or ended the session meanwhile. */
  async read(): Promise<Value | undefined> {
    if (this.held === undefined) return undefined
    const { id } = this.held
    this.keep(id, await this.sessions.get(id))
    return this.value
  }

  /**
   * Changes the value without losing concurrent writes. `change` gets the current value, undefined without a session, and returns the next
   * one, or modifies the one that it got. It is synchronous, and runs again if another request wrote in between. Resolves with the new
   * value, or undefined if the session was destroyed.
   */
  async update(change: (value: Value | undefined) => Value | undefined): Promise<Value | undefined> {
    const id = this.idToWrite()
    this.keep(id, await this.sessions.update(id, change))
    this.updateCookie(id)
    return this.value
  }

  /** Replaces the value, including concurrent writes. Resolves with false if the session was destroyed. */
  async set(value: Value): Promise<boolean> {
    const id = this.idToWrite()
    this.keep(id, (await this.sessions.set(id, value)) ? value : undefined)
    this.updateCookie(id)
    return this.held !== undefined
  }

  /** Ends the session and expires the cookie. A request that is still running can't write the session back. */
  async destroy(): Promise<void> {
    this.assertReachable()
    if (this.held === undefined) return
    await this.sessions.destroy(this.held.id)
    this.held = undefined
    this.cookie.remove()
  }

  /** Moves the session to a new id and ends the old one. Call it at every login: an attacker may have planted or seen the old id. */
  async regenerate(): Promise<void> {
    this.assertReachable()
    if (this.held === undefined) return
    this.cookie.assertSettable()
    const id = await this.sessions.regenerate(this.held.id)
    this.held = { id, value: this.held.value }
    this.updateCookie(id)
  }

  private idToWrite(): string {
    this.assertReachable()
    if (this.held !== undefined) return this.held.id
    this.cookie.assertSettable()
    this.newId ??= this.sessions.newId()
    return this.newId
  }

  private keep(id: string, value: Value | undefined): void {
    if (id === this.newId) this.newId = undefined
    this.held = value === undefined ? undefined : { id, value }
  }

  private updateCookie(id: string): void {
    if (this.held === undefined) this.cookie.remove()
    else this.cookie.set(id, this.sessions.settings.ttlMs)
  }

  private assertReachable(): void {
    if (this.outage !== undefined) throw this.outage
  }
}

/** A request extends the session and its cookie when this share of the time to live has passed. */
const ROLLING_SHARE = 0.1

/**
 * The session that the request's cookie names. An invalid cookie, or one without a session, counts as none: a visitor can't choose an id.
 * Without `response`, as for a websocket, a session can be read, changed and ended, but not started.
 * Rejects with `SessionStoreError` if the store is unreachable, unless `onOutage` says otherwise.
 */
export async function sessions<Value extends object = Record<string, unknown>>(
  request: IncomingMessage,
  response?: ServerResponse,
  of: Sessions<Value> = openSessions<Value>(),
): Promise<RequestSession<Value>> {
  const { settings } = of
  const cookie = new SessionCookie(settings.cookie, request, response)
  const without = { sessions: of, cookie, held: undefined, outage: undefined }
  const id = cookie.values().find((value) => of.isOurs(value))
  if (id === undefined) return new RequestSession<Value>(without)
  try {
    const found = await of.find(id)
    if (found === undefined) return new RequestSession<Value>(without)
    if (found.ttlMs < settings.ttlMs * (1 - ROLLING_SHARE)) {
      // Not awaited: if it fails, the next request tries again.
      of.touch(id).catch(() => {})
      cookie.set(id, settings.ttlMs)
    }
    return new RequestSession<Value>({ ...without, held: { id, value: found.value } })
  } catch (error) {
    if (!(error instanceof SessionStoreError) || settings.onOutage !== 'anonymous') throw error
    return new RequestSession<Value>({ ...without, outage: error })
  }
}
