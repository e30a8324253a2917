// The session of one visitor, as seen by one request, or by a websocket for as long as it is open.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { SessionStoreError, type Sessions } from '@switchyard/sessions'
import { openSessions } from './open-sessions.ts'
import { SessionCookie } from './session-cookie.ts'

/** The session that a request came with. */
export interface HeldSession<Value> {
  readonly id: string
  readonly value: Value
}

export interface RequestSessionParts<Value> {
  readonly sessions: Sessions<Value>
  readonly cookie: SessionCookie
  readonly held: HeldSession<Value> | undefined
  readonly outage: SessionStoreError | undefined
}

/**
 * Nothing is written unless a method is called. Each is done when its promise resolves, and rejects with `SessionStoreError` when the store can't be asked. A visitor who has no session
 * gets an id and a cookie with the first write, which must come before the head of the response.
 */
export class RequestSession<Value extends object> {
  /** Undefined while the visitor has none. The store can't be asked, and `onOutage` is `anonymous`: this is why. Then every write rejects with it. */
  readonly outage: SessionStoreError | undefined
  private readonly sessions: Sessions<Value>
  private readonly cookie: SessionCookie
  private held: HeldSession<Value> | undefined
  /** For the first write of a visitor who has no session. */
  private freshId: string | undefined

  constructor({ sessions, cookie, held, outage }: RequestSessionParts<Value>) {
    this.sessions = sessions
    this.cookie = cookie
    this.held = held
    this.outage = outage
  }

  /** Undefined while the visitor has no session. */
  get id(): string | undefined {
    return this.held?.id
  }

  /** What was in it when it was last read or written. To change it is not to write it: see `update`. */
  get value(): Value | undefined {
    return this.held?.value
  }

  /** Reads it again: others may have written, or ended it. For websockets, which stay. */
  async read(): Promise<Value | undefined> {
    if (this.held === undefined) return undefined
    const { id } = this.held
    this.keep(id, await this.sessions.get(id))
    return this.value
  }

  /**
   * Changes what is in it. `change` gets what is there at that moment, undefined if nothing, and gives what is to be there, or changes what it was given; it is
   * called again when somebody else was quicker, so that no change is lost, and it can't wait. Resolves with what is in it now; undefined: it has ended meanwhile,
   * and stays so.
   */
  async update(change: (value: Value | undefined) => Value | undefined): Promise<Value | undefined> {
    const id = this.idToWrite()
    this.keep(id, await this.sessions.update(id, change))
    this.tell(id)
    return this.value
  }

  /** Replaces what is in it, whatever others have written meanwhile. Resolves with false if it has ended meanwhile, and stays so. */
  async set(value: Value): Promise<boolean> {
    const id = this.idToWrite()
    this.keep(id, (await this.sessions.set(id, value)) ? value : undefined)
    this.tell(id)
    return this.held !== undefined
  }

  /** Ends it, for all who have it, and the visitor's cookie with it. Requests that are under way can't bring it back. */
  async destroy(): Promise<void> {
    this.assertReachable()
    if (this.held === undefined) return
    await this.sessions.destroy(this.held.id)
    this.held = undefined
    this.cookie.remove()
  }

  /** The same session under a new id; the old one has ended. At every login: whoever has planted or seen the old id has nothing. */
  async regenerate(): Promise<void> {
    this.assertReachable()
    if (this.held === undefined) return
    this.cookie.assertSettable()
    const id = await this.sessions.regenerate(this.held.id)
    this.held = { id, value: this.held.value }
    this.tell(id)
  }

  private idToWrite(): string {
    this.assertReachable()
    if (this.held !== undefined) return this.held.id
    this.cookie.assertSettable()
    this.freshId ??= this.sessions.newId()
    return this.freshId
  }

  private keep(id: string, value: Value | undefined): void {
    if (id === this.freshId) this.freshId = undefined
    this.held = value === undefined ? undefined : { id, value }
  }

  /** The visitor's cookie follows. */
  private tell(id: string): void {
    if (this.held === undefined) this.cookie.remove()
    else this.cookie.set(id, this.sessions.settings.ttlMs)
  }

  private assertReachable(): void {
    if (this.outage !== undefined) throw this.outage
  }
}

/** A session is touched, and its cookie sent again, once so much of its time is gone: not with every request. */
const ROLLING_PART = 0.1

/**
 * The session that the request's cookie names. A cookie that is not ours, or names nothing that is there, counts as none: an id is never taken from a visitor.
 * Without `response`, as for a websocket, sessions can be read, changed and ended, but no new one begun.
 * Rejects with `SessionStoreError` when the store can't be asked, unless `onOutage` says otherwise.
 */
export async function sessions<Value extends object = Record<string, unknown>>(
  request: IncomingMessage,
  response?: ServerResponse,
  of: Sessions<Value> = openSessions<Value>(),
): Promise<RequestSession<Value>> {
  const { settings } = of
  const cookie = new SessionCookie(settings.cookie, request, response)
  const nobody = { sessions: of, cookie, held: undefined, outage: undefined }
  const id = cookie.values().find((value) => of.isOurs(value))
  if (id === undefined) return new RequestSession<Value>(nobody)
  try {
    const found = await of.find(id)
    if (found === undefined) return new RequestSession<Value>(nobody)
    if (found.ttlMs < settings.ttlMs * (1 - ROLLING_PART)) {
      // Nobody waits for it, and nothing is lost without it: the next request tries again.
      of.touch(id).catch(() => {})
      cookie.set(id, settings.ttlMs)
    }
    return new RequestSession<Value>({ ...nobody, held: { id, value: found.value } })
  } catch (error) {
    if (!(error instanceof SessionStoreError) || settings.onOutage !== 'anonymous') throw error
    return new RequestSession<Value>({ ...nobody, outage: error })
  }
}
