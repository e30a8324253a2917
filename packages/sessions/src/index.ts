// Sessions of an app: what they mean, and the stores that keep them. Knows nothing of workers or pools.

export { LocalStore } from './local-store.ts'
export { connectRedis, type RedisClient } from './redis/redis-connection.ts'
export { openRedisStore, RedisStore } from './redis/redis-store.ts'
export { type RedisUrl, readRedisUrl } from './redis/redis-url.ts'
export { openSharedTable, type SharedEntry, type SharedTable } from './redis/shared-table.ts'
export { isLarger, type SessionCodec } from './session-codec.ts'
export { foreignIds, type SessionIds, sessionIdForm, signedIds } from './session-id.ts'
export { type OnOutage, type SessionCookieSettings, type SessionSettings, sessionDefaults } from './session-settings.ts'
export {
  type Found,
  MAX_TTL_MS,
  SessionConflictError,
  SessionIdError,
  type SessionStore,
  SessionStoreError,
  type SessionStoreStatus,
  SessionValueError,
  type Written,
} from './session-store.ts'
export { SessionTable, type SessionTableEntry, type SessionTableLimits, startSweeping } from './session-table.ts'
export { type FoundSession, Sessions, type SessionsOptions, type SessionsStatus, sessionsOn } from './sessions.ts'
