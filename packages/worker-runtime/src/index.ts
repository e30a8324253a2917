// The public interface of a worker for its app, and the protocol for the balancer.

export { onDrain } from './drain/drain.ts'
export { probeField } from './forward/forwarded-field.ts'
export {
  type ListenAnswer,
  type ListenPlace,
  type ListenRequest,
  readListenRequest,
  type ServerAddress,
  type ServerKind,
} from './listen-protocol.ts'
export {
  type RestMode,
  readFromWorker,
  type SessionReport,
  type ToPrimary,
  type ToWorker,
  type WorkerRoute,
  type WorkerStart,
} from './protocol.ts'
export { servingSocket } from './server/private-sockets.ts'
export { openSessions } from './sessions/open-sessions.ts'
export type { RedisClient } from './sessions/redis-connection.ts'
export { openRedisStore, type RedisStore } from './sessions/redis-store.ts'
export { type RedisUrl, readRedisUrl } from './sessions/redis-url.ts'
export { type HeldSession, RequestSession } from './sessions/request-session.ts'
export { sessions } from './sessions/request-sessions.ts'
export { isLarger, type SessionCodec } from './sessions/session-codec.ts'
export { foreignIds, type SessionIds, sessionIdForm, signedIds } from './sessions/session-id.ts'
export { partsOf, type SessionCommand, type SessionReply, weightOf } from './sessions/session-messages.ts'
export { type OnOutage, type SessionCookieSettings, type SessionSettings, sessionDefaults } from './sessions/session-settings.ts'
export {
  type Found,
  SessionConflictError,
  SessionIdError,
  type SessionStore,
  SessionStoreError,
  type SessionStoreStatus,
  SessionValueError,
  type Written,
} from './sessions/session-store.ts'
export { startSweeping } from './sessions/session-sweeping.ts'
export { SessionTable, type SessionTableEntry, type SessionTableLimits } from './sessions/session-table.ts'
export { type FoundSession, Sessions, type SessionsOptions, type SessionsStatus, sessionsOn } from './sessions/sessions.ts'
export { openSharedTable, type SharedEntry, type SharedTable } from './sessions/shared-table.ts'
export { sendStart, startVariable } from './start-pipe.ts'
export { type SessionIdSource, stickyIds } from './steering/sticky-ids.ts'
export { worker } from './worker.ts'
