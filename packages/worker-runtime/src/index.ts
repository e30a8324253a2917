// The public interface of a worker for its app, and the protocol for the balancer.

export {
  type Found,
  type FoundSession,
  foreignIds,
  isLarger,
  type OnOutage,
  openRedisStore,
  openSharedTable,
  type RedisClient,
  type RedisStore,
  type RedisUrl,
  readRedisUrl,
  type SessionCodec,
  SessionConflictError,
  type SessionCookieSettings,
  SessionIdError,
  type SessionIds,
  type SessionSettings,
  type SessionStore,
  SessionStoreError,
  type SessionStoreStatus,
  Sessions,
  type SessionsOptions,
  type SessionsStatus,
  SessionTable,
  type SessionTableEntry,
  type SessionTableLimits,
  SessionValueError,
  type SharedEntry,
  type SharedTable,
  sessionDefaults,
  sessionIdForm,
  sessionsOn,
  signedIds,
  startSweeping,
  type Written,
} from '@switchyard/sessions'
export { type AccessLogStart, FRAME_HEAD_BYTES, type LineBlock, readFrameHead } from './access-frames.ts'
export { accessFields, unknownAccessFields } from './access-log/access-fields.ts'
export { ACCESS_MEMORY_BYTES, AccessMemory, SEGMENT_BYTES, SEGMENTS } from './access-memory.ts'
export { type CutConnections, type CutReason, cutReasons } from './cut-messages.ts'
export { onDrain } from './drain/drain.ts'
export { type FirstCallback, onFirst } from './first.ts'
export { probeField } from './forward/forwarded-field.ts'
export { type HandshakeFailure, type HandshakeOutcome, handshakeFailures, handshakeOutcomes } from './handshake-messages.ts'
export type { Http2ListenerStart } from './http2-start.ts'
export {
  type ListenAnswer,
  type ListenPlace,
  type ListenRequest,
  readListenRequest,
  type ServerAddress,
  type ServerKind,
  type TlsTicketStart,
} from './listen-protocol.ts'
export { readFromWorker } from './message-checks.ts'
export type {
  MetricExemplar,
  MetricFamily,
  MetricKind,
  MetricSample,
  RouteExemplar,
} from './metric-messages.ts'
export { type BlockingPath, type LostSessions, SAMPLE_EVERY, type WorkerObservations } from './observation-messages.ts'
export type { RestMode, SessionReport, ToPrimary, ToWorker, WorkerRoute, WorkerStart } from './protocol.ts'
export { type MetricRegistry, shareMetrics } from './reports/app-registries.ts'
export { isCumulative } from './reports/metric-deltas.ts'
export { openProcessMetrics } from './reports/process-metrics.ts'
export { servingSocket } from './server/private-sockets.ts'
export { type ProxyProtocol, type ProxyProtocolSsl, proxyProtocol } from './server/proxy-protocol.ts'
export { openSessions } from './session-adapters/open-sessions.ts'
export { type HeldSession, RequestSession, sessions } from './session-adapters/request-session.ts'
export { partsOf, type SessionCommand, type SessionReply, weightOf } from './session-messages.ts'
export { sendStart, startVariable } from './start-pipe.ts'
export { type SessionIdSource, stickyIds } from './steering/sticky-ids.ts'
export type { CertificateText, MutualTls, TlsChange, TlsListenerStart, TlsPreset } from './tls-start.ts'
export type { FailureCount, ServerChoice, ServerReport, ServerState, UpstreamChange, UpstreamReport } from './upstream-messages.ts'
export { serverStates } from './upstream-messages.ts'
export type { UpstreamAddress, UpstreamProbe, UpstreamStart, UpstreamTarget } from './upstream-start.ts'
export { worker } from './worker.ts'
