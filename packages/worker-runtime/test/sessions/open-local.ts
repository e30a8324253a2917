// Sessions of a test, in its own process.

import { randomBytes } from 'node:crypto'
import { LocalStore } from '../../src/sessions/local-store.ts'
import { type SessionSettings, sessionDefaults } from '../../src/sessions/session-settings.ts'
import type { SessionStore } from '../../src/sessions/session-store.ts'
import { type Sessions, sessionsOn } from '../../src/sessions/sessions.ts'

export interface LocalSessions<Value> {
  readonly sessions: Sessions<Value>
  readonly store: SessionStore
}

export function openLocal<Value = unknown>(options: Partial<SessionSettings> = {}): LocalSessions<Value> {
  const settings = { ...sessionDefaults, secrets: [randomBytes(32).toString('base64url')], ...options }
  const store = new LocalStore(settings)
  return { sessions: sessionsOn<Value>(store, settings), store }
}
