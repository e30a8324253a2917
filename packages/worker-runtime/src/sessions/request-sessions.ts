// The session of whoever sent a request, without a framework.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { openSessions } from './open-sessions.ts'
import { RequestSession } from './request-session.ts'
import { SessionCookie } from './session-cookie.ts'
import { SessionStoreError } from './session-store.ts'
import type { Sessions } from './sessions.ts'

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
