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
  /** No worker has a server for it any more. */
  listenerClosed: [{ address: string }]
  workerStarted: [Seat]
  workerReady: [Seat & { startMs: number }]
  workerExited: [
    Seat & { code: number | null; signal: string | null; expected: boolean; everReady: boolean; restartInMs: number | undefined },
  ]
  /** Its process could not be made. `restartInMs` undefined: it is not tried again. */
  workerNotStarted: [{ pool: string; slot: number; generation: number; message: string; restartInMs: number | undefined }]
  workerOutput: [Seat & { stream: 'stdout' | 'stderr'; line: string }]
  workerNoticed: [Seat & { level: 'info' | 'warn'; message: string }]
  /** It is to be replaced, and serves until its successor is ready. */
  workerRetiring: [Seat & { reason: string }]
  /** It takes nothing new; told when that begins and every few seconds. `leftMs`: until the deadline. */
  workerDraining: [Seat & { connections: number; inFlight: number; leftMs: number }]
  /** Its loop has not turned for so long. */
  workerHung: [Seat & { busyMs: number }]
  /** Where a worker that hangs is in its code; undefined: it could not be told. */
  workerStack: [Seat & { stack: string | undefined }]
  /** It fails more than the others, and gets nothing for a while. */
  workerEjected: [Seat & { reason: string; forMs: number }]
  /** Its worker has failed too often: it stays empty until someone asks for it. */
  seatBroken: [{ pool: string; slot: number; failures: number }]
  /** Every seat of a pool is broken and nobody serves. One seat after the other is tried again, every `retryMs`. */
  outageBegan: [{ pool: string; retryMs: number; lastWords: string }]
  outageEnded: [{ pool: string; afterMs: number }]
  scaled: [{ pool: string; from: number; to: number; reason: string }]
  /** Something that an operator asked for; `pool` undefined: it concerns all. */
  operationStarted: [{ name: string; pool: string | undefined }]
  operationProgressed: [{ name: string; message: string }]
  operationEnded: [{ name: string; message: string; error: Error | undefined }]
  /** The workers' private sockets are not where they should be, or not any more. */
  folderNoticed: [{ message: string }]
  /** There is no native channel, or it is not wanted. */
  portableChosen: [{ message: string }]
  ready: [{ workers: number }]
  acceptPaused: [{ reason: string }]
  acceptResumed: []
  /** What is learned of visitors can't be shared with other balancers. */
  sharingFailed: [{ error: unknown }]
  policyFailed: [{ route: string; error: unknown }]
  draining: [{ reason: string; timeoutMs: number }]
  /** A successor serves; this primary finishes what it has begun, and leaves. */
  handedOver: [{ pid: number }]
  failed: [{ error: Error }]
  stopped: []
}

/** The one typed list of events that the outside listens to. */
export class BalancerEmitter extends EventEmitter<BalancerEvents> {}
