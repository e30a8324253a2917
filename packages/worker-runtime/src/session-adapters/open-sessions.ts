// The sessions of this process: one store, and one view of it that apps and faces share.

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
 * The sessions of this worker, as the config says; always the same. Outside a pool they are as `options` say at the first call, and without a secret there ids
 * are good for this process only. Another form of ids or values: `openSessions().as({ ids, codec })`.
 */
export function openSessions<Value = unknown>(options: Partial<SessionSettings> = {}): Sessions<Value> {
  if (opened === undefined) {
    const settings = currentRuntime()?.start.sessions ?? ownSettings(options)
    opened = sessionsOn(openStore(settings), settings)
  }
  return opened as Sessions<Value>
}

/** The connection to Redis that sessions go over; undefined: they are not there. */
export function sessionRedis(): RedisClient | undefined {
  if (opened === undefined && currentRuntime()?.start.sessions.url !== undefined) openSessions()
  return redis?.client
}

/** The process is to end when its app has nothing left to do: from now on an open connection of the sessions is no reason to live. */
export function letGoOfSessions(): void {
  redis?.letGo()
}

/** How it is with the sessions of this worker; undefined: its app uses none. */
export function openedStatus(): SessionsStatus | undefined {
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
