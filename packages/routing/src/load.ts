// What is known of a worker's load at the moment of choice.

/** Load of one worker. Counts are whole numbers, times in milliseconds. */
export interface Load {
  /** Requests begun and not finished, and connections on their way to the worker. An upgraded connection counts until it closes. */
  readonly inFlight: number
  /** Open connections. */
  readonly connections: number
  /** Will the worker take work at once? Its loop waits in the kernel's poll, and it has received all that it was sent. */
  readonly isFree: boolean
  /** For how long the loop has been in its present turn; 0 while it waits. */
  readonly busyMs: number
  /** How long whoever finds the loop busy has to wait for the end of what it does, on the average: of one request, where a turn begins several. */
  readonly turnWaitMs: number
  /** Length of a turn, on the average. */
  readonly turnMs: number
  /** How late the worker's event loop was when it last looked, a tenth of a second ago at most. */
  readonly loopLagMs: number
  /** Share of time the loop was busy, 0 to 1. */
  readonly utilisation: number
  /** Moving average of response times. */
  readonly latencyMs: number
  /** Resident memory in bytes. */
  readonly memoryBytes: number
}

/** Load of a worker that has nothing to do, or of which nothing is known. */
export const idleLoad: Load = Object.freeze({
  inFlight: 0,
  connections: 0,
  isFree: true,
  busyMs: 0,
  turnWaitMs: 0,
  turnMs: 0,
  loopLagMs: 0,
  utilisation: 0,
  latencyMs: 0,
  memoryBytes: 0,
})
