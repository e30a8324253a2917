// What a config file or a program may import from the balancer.

export {
  type Candidate,
  clientAddress,
  cookie,
  hash,
  header,
  leastInFlight,
  type Policy,
  type PolicyFunction,
  pathSegment,
  query,
  type RequestHead,
  roundRobin,
  sticky,
  ticket,
} from '@switchyard/routing'
export { Balancer } from './balancer.ts'
export { type BalancerConfig, defineConfig } from './config/config.ts'
export { resolveSettings } from './config/resolve.ts'
export type { Settings } from './config/settings.ts'
export { BalancerError, type ErrorCode, errorCodes } from './errors.ts'
export { BalancerEmitter, type BalancerEvents, type RefusalReason, type Seat } from './events.ts'
export type { BalancerStatus, ConnectionStatus, PoolStatus, WorkerStatus } from './status.ts'
