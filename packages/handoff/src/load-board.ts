// What the primary knows of its workers' load: their reports, and on top of these its own hand-offs, for a report is old when it comes.

import type { Load } from '@switchyard/routing'

/** A worker's own account of its load. Counts are whole numbers, times milliseconds. */
export interface LoadReport {
  readonly inFlight: number
  readonly connections: number
  /** Hand-offs received since the worker's start. */
  readonly received: number
  readonly loopLagMs: number
  readonly utilisation: number
  readonly latencyMs: number
  readonly memoryBytes: number
}

/** One worker's row: what it has reported, and what is on its way to it. */
export class LoadRow implements Load {
  inFlight = 0
  connections = 0
  loopLagMs = 0
  utilisation = 0
  latencyMs = 0
  memoryBytes = 0
  /** Hand-offs since the worker's start. */
  handedOff = 0
  private reported = 0
  private reportedConnections = 0
  private received = 0

  /** The primary has handed one more to the worker. */
  countHandoff(): void {
    this.handedOff++
    this.count()
  }

  /** A hand-off came back: the worker never had it. */
  uncountHandoff(): void {
    this.handedOff--
    this.count()
  }

  /** The worker reports. Its numbers are checked already; a count of received hand-offs that can't be is clamped. */
  report(report: LoadReport): void {
    this.reported = report.inFlight
    this.reportedConnections = report.connections
    this.received = Math.min(report.received, this.handedOff)
    this.loopLagMs = report.loopLagMs
    this.utilisation = report.utilisation
    this.latencyMs = report.latencyMs
    this.memoryBytes = report.memoryBytes
    this.count()
  }

  private count(): void {
    const onTheWay = this.handedOff - this.received
    this.inFlight = this.reported + onTheWay
    this.connections = this.reportedConnections + onTheWay
  }
}
