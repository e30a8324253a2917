// The events of the balancer, in the past tense, for the log and other observers. The path of a connection does not listen to them.

import { EventEmitter } from 'node:events'
import type { ProxyHeaderFault } from '@switchyard/handoff'
import type { CutReason, LineBlock } from '@switchyard/worker-runtime'
import type { Advice } from './advice.ts'
import type { JobExit } from './status.ts'

/** Identifies a worker in events: its slot, such as `web/0`, with its generation and pid. */
export interface Seat {
  pool: string
  slot: number
  generation: number
  pid: number
  /** The worker passes requests to upstream servers, see worker-name.ts. */
  proxy?: true
}

export type { RefusalReason } from '@switchyard/handoff'

/** A client whose new connections are refused for `forMs`. `more`: clients that were not reported since the last report. */
export interface RefusedClient {
  readonly address: string
  readonly reason: CutReason
  readonly cuts: number
  readonly forMs: number
  readonly more: number
}

export interface BalancerEvents {
  listening: [{ address: string }]
  /** No worker has a server on this address any more. */
  listenerClosed: [{ address: string }]
  workerStarted: [Seat]
  workerReady: [Seat & { startMs: number }]
  workerExited: [
    Seat & {
      code: number | null
      signal: string | null
      expected: boolean
      everReady: boolean
      isFinal: boolean
      restartInMs: number | undefined
    },
  ]
  /** A one-off process of a pool with a schedule has started. */
  jobStarted: [Seat]
  jobEnded: [Seat & { exit: JobExit }]
  /** The time `atMs` of a schedule or of `restartAt` has come, and nothing was started. */
  jobSkipped: [{ pool: string; atMs: number; reason: string }]
  /** The process could not be created. `restartInMs` undefined: no further try is planned. */
  workerNotStarted: [{ pool: string; slot: number; generation: number; message: string; restartInMs: number | undefined }]
  workerOutput: [Seat & { stream: 'stdout' | 'stderr'; line: string }]
  /** Lines for the access log. `lost`: lines that the worker could not send before. */
  requestsLogged: [{ pool: string; slot: number; block: LineBlock | undefined; lost: number }]
  workerNoticed: [Seat & { level: 'info' | 'warn'; message: string }]
  /** The worker will be replaced. It serves until the new worker is ready. A one-off process is told to stop instead. */
  workerRetiring: [Seat & { reason: string; cause?: string; isOneOff?: boolean }]
  /** The worker takes no new connections. Emitted when the drain begins and then every few seconds. `leftMs`: until the deadline. */
  workerDraining: [Seat & { connections: number; inFlight: number; leftMs: number }]
  /** The event loop of the worker has not turned for `busyMs`. */
  workerHung: [Seat & { busyMs: number }]
  /** The JavaScript stack of a worker that hangs; undefined: it could not be read. */
  workerStack: [Seat & { stack: string | undefined }]
  /** The worker fails more requests than the others, and gets no connections for `forMs`. */
  workerEjected: [Seat & { reason: string; forMs: number }]
  /** The worker of this slot has failed too often: the slot stays empty until a restart, a reload, or the end of an outage. */
  seatBroken: [{ pool: string; slot: number; failures: number }]
  /** Every slot of the pool is broken. One slot after the other is tried again, every `retryMs`. */
  outageBegan: [{ pool: string; retryMs: number; lastWords: string }]
  outageEnded: [{ pool: string; afterMs: number }]
  scaled: [{ pool: string; from: number; to: number; reason: string }]
  /** An operation of an operator. `pool` undefined: it concerns all pools. */
  operationStarted: [{ name: string; pool: string | undefined }]
  operationProgressed: [{ name: string; message: string }]
  operationEnded: [{ name: string; message: string; error: Error | undefined }]
  /** The addresses of an upstream server, or why they can't be looked up. */
  upstreamNoticed: [{ pool: string; level: 'info' | 'warn'; message: string }]
  /** A fault of the folder of the workers' private sockets. */
  folderNoticed: [{ message: string }]
  /** New connections of a TLS listener get this certificate. */
  certificateRenewed: [{ address: string; path: string; names: readonly string[]; validToMs: number }]
  /** Changed certificate files have faults, one text for each. What was read before stays in use. */
  certificatesRefused: [{ address: string; faults: readonly string[] }]
  /** The certificate expires soon, or has expired, and was not renewed. */
  certificateExpiring: [{ address: string; path: string; names: readonly string[]; validToMs: number }]
  /** The native channel is missing or turned off. */
  portableChosen: [{ message: string }]
  ready: [{ workers: number }]
  acceptPaused: [{ reason: string }]
  acceptResumed: []
  /** Reported once a minute for each reason. `more`: refused connections of that reason that were not reported. */
  proxyHeaderRefused: [{ reason: ProxyHeaderFault; address: string | undefined; more: number }]
  /** New connections of a client are refused, because so many of its connections of HTTP/2 were cut. */
  clientRefused: [RefusedClient]
  /** Learned visitors can't be shared with other balancers. */
  sharingFailed: [{ error: unknown }]
  policyFailed: [{ route: string; error: unknown }]
  /** A piece of advice, once for each. */
  adviceGiven: [Advice]
  draining: [{ reason: string; timeoutMs: number }]
  /** The new primary serves. This primary finishes its requests and exits. */
  handedOver: [{ pid: number }]
  failed: [{ error: Error }]
  stopped: []
}

export class BalancerEmitter extends EventEmitter<BalancerEvents> {}
