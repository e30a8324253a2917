// What is known of a worker's load at the moment of choice.

/** Load of one worker. Counts are whole numbers, times in milliseconds. */
export interface Load {
  /** Requests begun and not finished, and connections on their way to the worker. An upgraded connection counts until it closes. */
  readonly inFlight: number
  /** Open connections. */
  readonly connections: number
  /** How late the worker's event loop was at its last report. */
  readonly loopLagMs: number
  /** Share of time the loop was busy, 0 to 1. */
  readonly utilisation: number
  /** Moving average of response times. */
  readonly latencyMs: number
  /** Resident memory in bytes. */
  readonly memoryBytes: number
}
