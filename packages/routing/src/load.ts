// A worker's load at the moment of choice.

/** Counts are whole numbers. */
export interface Load {
  /** Unfinished requests, and connections on their way to the worker. An upgraded connection counts until it closes. */
  readonly inFlight: number
  /** Open connections. */
  readonly connections: number
  /** The worker takes work at once: its loop waits in the kernel's poll, and it has received everything that was sent to it. */
  readonly isFree: boolean
  /** Duration of the present loop turn so far; 0 while the loop waits. */
  readonly busyMs: number
  /** Mean wait of a request that finds the loop busy; where a turn begins several requests, until the end of one of them. */
  readonly turnWaitMs: number
  /** Mean length of a loop turn. */
  readonly turnMs: number
  /** Delay of the event loop at its last measurement, at most 100 ms ago. */
  readonly loopLagMs: number
  /** Share of time in which the loop was busy, 0 to 1. */
  readonly utilisation: number
  /** Moving average of response times. */
  readonly latencyMs: number
  /** Resident memory in bytes. */
  readonly memoryBytes: number
}

/** The load of a worker that is idle or unknown. */
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
