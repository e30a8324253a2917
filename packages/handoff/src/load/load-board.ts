// What the primary knows of its workers' load: a row for each. Counts and the state of the loop are what every choice needs, so they are as young
// as the channel can make them; what is slower comes in reports. On top of both the primary counts its own hand-offs, for these the worker does not
// know yet.

import type { Load } from '@switchyard/routing'
import type { LoadDetails } from './load-details.ts'

/** A worker's own account of its load, sent now and then. Counts are whole numbers, times milliseconds. */
export interface LoadReport {
  readonly inFlight: number
  readonly connections: number
  /** Hand-offs received since the worker's start. */
  readonly received: number
  /** Requests begun since then, and those of them that failed. */
  readonly begun: number
  readonly failed: number
  readonly loopLagMs: number
  readonly utilisation: number
  readonly latencyMs: number
  readonly memoryBytes: number
  /** Not in every report. */
  readonly details?: LoadDetails | undefined
  /** How much of what came made no sense; by whoever has checked it. */
  readonly faults?: number | undefined
}

/** One worker's row, as the primary has it: what the worker says, and what is on its way to it. A worker may lie; nonsense is worth nothing. */
export interface LoadRow extends Load {
  /** Hand-offs since the worker's start that it has received, or will: the channel's count. */
  handedOff: number
  /** Stands still while the loop does. Not what it counts, only that it changes, means the same on every board. */
  readonly turns: number
  /** Requests begun since the worker's start; goes on from 0 after 2^32. */
  readonly begun: number
  /** Those of them that the app answered with 5xx or broke off. The same. */
  readonly failed: number
  /** What the worker tells of itself once a second; undefined: it has not yet. */
  readonly details: LoadDetails | undefined
  /** How often the worker has said what can't be. */
  readonly faults: number
  /**
   * When the loop, which is busy, is likely to take one more connection that is offered now, in milliseconds. Infinity: that can't be told, for its turns are not alike or this
   * one is overdue, or enough is on its way to it.
   */
  readonly nextInMs: number
  /** Do the turns of the loop take about as long as each other? false: that can't be told either. */
  readonly turnsAreAlike: boolean
  /** Time of the loop for each request, on the average. 0: that is not known. */
  readonly requestLoopMs: number
  /** Hand-offs that the worker has not received yet. */
  readonly onTheWay: number
  /** Does the present turn of the loop take much longer than its turns usually do? */
  readonly isOverdue: boolean
  /** The worker reports. Its numbers are checked already. */
  report(report: LoadReport): void
  /**
   * Somebody waits: the listener of the channel is told when the loop has turned. Once; ask again for more.
   * True: it is free already, and may have turned before it could see the wish.
   */
  want(): boolean
  /** Nobody waits any more. */
  unwant(): void
}
