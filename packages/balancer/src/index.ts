// What a config file or a program may import from the balancer.

export {
  type Candidate,
  clientAddress,
  cookie,
  fromFunction,
  hash,
  header,
  type KeySource,
  keySource,
  learn,
  leastBusy,
  leastInFlight,
  type Policy,
  type PolicyFunction,
  pathSegment,
  query,
  type RequestHead,
  type RouteMatch,
  roundRobin,
  sticky,
  ticket,
} from '@switchyard/routing'
export { Balancer } from './balancer.ts'
export {
  type AccessLogConfig,
  type AutoscaleConfig,
  type BalancerConfig,
  defineConfig,
  type HealthProbeConfig,
  type ListenConfig,
  type LogRotationConfig,
  type LogsConfig,
  type MemoryConfig,
  type OutlierConfig,
  type PolicyConfig,
  type PoolConfig,
  type ProbeConfig,
  type ReloadConfig,
  type RouteConfig,
  type SessionsConfig,
  type SlowStartConfig,
} from './config/config.ts'
export { loadConfig } from './config/load-config.ts'
export { usableCpus } from './config/pool/cpus.ts'
export { resolveSettings } from './config/resolve.ts'
export { BalancerError, type ErrorCode, errorCodes } from './errors.ts'
export { BalancerEmitter, type BalancerEvents, type RefusalReason, type Seat } from './events.ts'
export type { Settings } from './settings.ts'
export type { BalancerStatus, ConnectionStatus, PoolStatus, SessionTableStatus, VisitorStatus, WorkerStatus } from './status.ts'
