// The sessions of this process, opened once and shared by the app and all adapters.

import { randomBytes } from 'node:crypto'
import {
  connectRedis,
  LocalStore,
  type RedisClient,
  RedisStore,
  type SessionSettings,
  type SessionStore,
  type Sessions,
  type SessionsStatus,
  sessionDefaults,
  sessionsOn,
} from '@switchyard/sessions'
import { currentRuntime } from '../runtime.ts'
import { EmbeddedStore } from './embedded-store.ts'

let opened: Sessions | undefined
let redis: RedisStore | undefined

/**
 * The sessions of this process; every call returns the same. In a worker the config of the balancer applies. Outside a pool the `options`
 * of the first call apply; without a secret, ids are valid in this process only. For other ids or another codec: `openSessions().as({ ids,
 * codec })`.
 */
export function openSessions<Value = unknown>(options: Partial<SessionSettings> = {}): Sessions<Value> {
  if (opened === undefined) {
    const settings = currentRuntime()?.start.sessions ?? ownSettings(options)
    opened = sessionsOn(openStore(settings), settings)
  }
  return opened as Sessions<Value>
}

/** The Redis client of the sessions. Undefined: sessions are not in Redis. */
export function sessionRedis(): RedisClient | undefined {
  if (opened === undefined && currentRuntime()?.start.sessions.url !== undefined) openSessions()
  return redis?.client
}

/** The connection of the sessions no longer keeps this process alive. For a worker that is to exit when its app has nothing left to do. */
export function unrefSessions(): void {
  redis?.letGo()
}

/** Undefined: the app uses no sessions. */
export function sessionsStatus(): SessionsStatus | undefined {
  return opened?.status()
}

function openStore(settings: SessionSettings): SessionStore {
  if (settings.url !== undefined) {
    redis = new RedisStore(settings, connectRedis(settings))
    return redis
  }
  const runtime = currentRuntime()
  return runtime === undefined ? new LocalStore(settings) : new EmbeddedStore(runtime, settings.commandTimeoutMs)
}

function ownSettings(options: Partial<SessionSettings>): SessionSettings {
  const settings = { ...sessionDefaults, ...options }
  return settings.secrets.length > 0 ? settings : { ...settings, secrets: [randomBytes(32).toString('base64url')] }
}
