// What the plan compares: the desired pools and the actual workers.

/** A slot of a pool. */
export interface PlannedSlot {
  readonly pool: string
  readonly slot: number
}

/** Why a worker of the desired generation is replaced. */
export type RetireReason = 'restart' | 'memory' | 'requests' | 'age' | 'health' | 'hang' | 'sockets'

/** A worker's process, as the plan sees it. */
export interface PlannedWorker extends PlannedSlot {
  readonly id: number
  readonly generation: number
  readonly state: 'starting' | 'ready' | 'draining'
  /** When it entered this state. */
  readonly sinceMs: number
  /** While it starts: since when it has listened and passed its probe; undefined: not yet. */
  readonly upMs: number | undefined
  /** It does what its pool waits for: it listens, for example. */
  readonly hasBegun: boolean
  /** How long ago its loop was last seen to turn. */
  readonly silentMs: number
  readonly retiring: RetireReason | undefined
  /** While it drains: even visitors whose ticket names it no longer come to it. */
  readonly sealed: boolean
  /** It has reported that nothing is left in it, and nothing can come any more. */
  readonly drained: boolean
  /** When it was told to stop, if it was. */
  readonly stoppingMs: number | undefined
  /** How long it may take to exit then; undefined: until its drain time is over, and `STOP_MS` at least. */
  readonly stopTimeoutMs: number | undefined
  /** It does one piece of work and ends by itself. */
  readonly isOneOff: boolean
}

/** What the supervisor remembers of a slot while its processes come and go. */
export interface SlotStarts {
  /** Failures in a row of workers that had not been stable. */
  readonly failures: number
  /** The earliest moment at which the next process may start. */
  readonly startAtMs: number
  /** When its workers failed, oldest first. Covers the last `restartWindowMs` at least. */
  readonly failedMs: readonly number[]
}

/** What one pool should be. */
export interface PoolTarget {
  readonly name: string
  /** Slots 0 to workers − 1 should have a worker each. */
  readonly workers: number
  /** The generation that every worker should have. */
  readonly generation: number
  /** While a reload is under way: the previous generation, which comes back if the new one fails. */
  readonly previous: number | undefined
  /** The new generation has replaced the previous one. The reload is over when that holds for all pools. */
  readonly replaced: boolean
  /** Why the reload has failed, if it has. */
  readonly failure: string | undefined
  /** Slots that stay empty until an operator asks for them. */
  readonly held: ReadonlySet<number>
  /** Slots whose workers have ended for good, by their exit code. */
  readonly finished: ReadonlySet<number>
  /** Slots in which a one-off process should start. */
  readonly due: ReadonlySet<number>
  /** Its processes do one piece of work and end by themselves. */
  readonly isOneOff: boolean
  /** No config names it any more. */
  readonly isDropped: boolean
  /** Slots whose workers have failed too often. */
  readonly broken: ReadonlySet<number>
  /** Every slot is broken and no worker serves, and that is recorded. */
  readonly isInOutage: boolean
  /** In how many slots a second worker may start beside the first. */
  readonly maxSurge: number
  /** How long a replacement must have been up before it is admitted. */
  readonly settleMs: number
  /** How long a worker may take to start. */
  readonly startTimeoutMs: number
}

export interface Desired {
  readonly pools: readonly PoolTarget[]
  readonly stopping: boolean
  readonly drainTimeoutMs: number
  readonly maxRestarts: number
  readonly restartWindowMs: number
  /** How many workers start at the same time in empty slots, those of all pools together. */
  readonly startsAtOnce: number
  /** While all slots of a pool are broken, one of them is tried again this often. */
  readonly outageRetryMs: number
}

export interface Actual {
  readonly workers: readonly PlannedWorker[]
  readonly history: (workerSlot: PlannedSlot) => SlotStarts | undefined
  /** Pools of which a worker has been ready at least once. */
  readonly provenPools: ReadonlySet<string>
}
