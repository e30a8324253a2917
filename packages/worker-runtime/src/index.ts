// What an app may import, and what the balancer needs to speak with its workers.

export { servingSocket } from './asking.ts'
export { onDrain } from './drain.ts'
export { probeField } from './forward/forwarded-field.ts'
export {
  type RestMode,
  readFromWorker,
  type ServerAddress,
  START_VARIABLE,
  type ToPrimary,
  type ToWorker,
  type WorkerRoute,
  type WorkerStart,
} from './protocol.ts'
export { type SessionIdSource, stickyIds } from './sticky-ids.ts'
export { worker } from './worker.ts'
