// What the primary knows of its workers' load: one row for each worker. Every choice needs the counts and the state of the event loop, so
// these are as fresh as the transport allows; slower values come in reports. The primary adds the hand-offs that the worker has not
// received.

import type { Load } from '@switchyard/routing'
import type { LoadDetails } from './load-details.ts'

/** A worker's report of its load. Counts are whole numbers, times are milliseconds. */
export interface LoadReport {
  readonly inFlight: number
  readonly connections: number
  /** Hand-offs received since the worker's start. */
  readonly received: number
  /** Requests started since then, and those of them that failed. */
  readonly begun: number
  readonly failed: number
  readonly loopLagMs: number
  readonly utilisation: number
  readonly latencyMs: number
  readonly memoryBytes: number
  /** Left out of most reports. */
  readonly details?: LoadDetails | undefined
  /** From `packRouteCounters`, where the primary can't read the counters. */
  readonly routes?: readonly number[] | undefined
  /** Impossible values that the receiver has found in the report. */
  readonly faults?: number | undefined
}

/**
 * One worker's row: what the worker says, plus the hand-offs on their way to it. The worker is not trusted: impossible values are ignored
 * and counted.
 */
export interface LoadRow extends Load {
  /** Hand-offs since the worker's start that it has received, or will receive. Only the channel changes it. */
  readonly handedOff: number
  /** Changes whenever the loop turns. What it counts depends on the transport. */
  readonly turns: number
  /** Requests started since the worker's start; wraps to 0 after 2^32. */
  readonly begun: number
  /** Requests that the app answered with 5xx or aborted; wraps likewise. */
  readonly failed: number
  /** What the worker has counted by route, unchecked; see route-counters.ts. */
  readonly routeCounters: Float64Array
  /** undefined before the worker's first detailed report. */
  readonly details: LoadDetails | undefined
  /** Impossible values that the worker has sent. */
  readonly faults: number
  /**
   * Milliseconds until the busy loop probably takes a connection that is offered now. Infinity when it is unknown: its turns differ too
   * much in length, the present turn is overdue, or enough is on its way.
   */
  readonly nextInMs: number
  /** Do the turns of the loop take about the same time? false when it is unknown. */
  readonly turnsAreAlike: boolean
  /** Mean loop time per request; 0 when it is unknown. */
  readonly requestLoopMs: number
  /** Hand-offs that the worker has not received yet. */
  readonly onTheWay: number
  /** Does the present turn of the loop take much longer than usual? */
  readonly isOverdue: boolean
  /** Takes in a report whose numbers are checked. */
  report(report: LoadReport): void
  /**
   * Requests one notice: `ChannelListener.onTurned` is called when the loop has turned.
   * True: the loop is free already, and may have turned before it could see the request.
   */
  requestNotice(): boolean
  /** Cancels the request. */
  cancelNotice(): void
}
