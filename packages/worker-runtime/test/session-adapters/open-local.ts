// Sessions in the memory of the test process.

import { randomBytes } from 'node:crypto'
import { LocalStore, type SessionSettings, type SessionStore, type Sessions, sessionDefaults, sessionsOn } from '@switchyard/sessions'

export interface LocalSessions<Value> {
  readonly sessions: Sessions<Value>
  readonly store: SessionStore
}

export function openLocal<Value = unknown>(options: Partial<SessionSettings> = {}): LocalSessions<Value> {
  const settings = { ...sessionDefaults, secrets: [randomBytes(32).toString('base64url')], ...options }
  const store = new LocalStore(settings)
  return { sessions: sessionsOn<Value>(store, settings), store }
}
