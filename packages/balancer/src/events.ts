// Everything that the outside (log, metrics, dashboard) may learn of the balancer, in the past tense. Nobody on the way of a connection listens.

import { EventEmitter } from 'node:events'

/** A worker's seat as events and logs name it, such as `web/0`. */
export interface Seat {
  pool: string
  slot: number
  generation: number
  pid: number
}

export type { RefusalReason } from '@switchyard/handoff'

/** Every event with its payload. */
export interface BalancerEvents {
  listening: [{ address: string }]
  workerStarted: [Seat]
  workerReady: [Seat & { startMs: number }]
  workerExited: [
    Seat & { code: number | null; signal: string | null; expected: boolean; everReady: boolean; restartInMs: number | undefined },
  ]
  workerOutput: [Seat & { stream: 'stdout' | 'stderr'; line: string }]
  workerNoticed: [Seat & { level: 'info' | 'warn'; message: string }]
  /** There is no native channel, or it is not wanted. */
  portableChosen: [{ message: string }]
  ready: [{ workers: number }]
  acceptPaused: [{ reason: string }]
  acceptResumed: []
  policyFailed: [{ route: string; error: unknown }]
  draining: [{ reason: string; timeoutMs: number }]
  failed: [{ error: Error }]
  stopped: []
}

/** The one typed list of events that the outside listens to. */
export class BalancerEmitter extends EventEmitter<BalancerEvents> {}
