// What the primary knows of its workers' load. The counts that every choice needs are words of shared memory that the worker writes as things
// happen; what is slower comes in reports. On top of both the primary counts its own hand-offs, for these the worker does not know yet.

import type { Load } from '@switchyard/routing'

/** Words of a worker's row. The worker alone writes them, the primary reads them at the moment of choice. */
export const rowWords = {
  /** Requests begun and not finished. */
  inFlight: 0,
  /** Hand-offs received since the worker's start. */
  received: 1,
} as const

/** A worker's own account of its load, sent now and then. Counts are whole numbers, times milliseconds. */
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

/** One worker's row: what it says, and what is on its way to it. */
export class LoadRow implements Load {
  loopLagMs = 0
  utilisation = 0
  latencyMs = 0
  memoryBytes = 0
  /** Hand-offs since the worker's start. */
  handedOff = 0
  private readonly words: Int32Array
  private reportedConnections = 0
  private receivedThen = 0

  constructor(words: Int32Array) {
    this.words = words
  }

  /** A worker can write only its own row, and nonsense in it is worth nothing: no count is below 0, and no more is received than was handed off. */
  get inFlight(): number {
    const begun = this.words[rowWords.inFlight] as number
    const received = this.words[rowWords.received] as number
    return Math.max(0, begun) + Math.max(0, this.handedOff - Math.max(0, received))
  }

  get connections(): number {
    return this.reportedConnections + this.handedOff - this.receivedThen
  }

  /** The worker reports. Its numbers are checked already. */
  report(report: LoadReport): void {
    this.reportedConnections = report.connections
    this.receivedThen = Math.min(report.received, this.handedOff)
    this.loopLagMs = report.loopLagMs
    this.utilisation = report.utilisation
    this.latencyMs = report.latencyMs
    this.memoryBytes = report.memoryBytes
  }
}
