// The seam at which a worker is chosen. A policy sees only candidates: ready, with room. It has no clock, no chance and no I/O of its own.

import type { Load } from './load.ts'
import type { RequestHead } from './request-head.ts'

/** What a policy may know of a worker. */
export interface Candidate {
  readonly slot: number
  readonly generation: number
  /** Share of the pool's requests this worker should have, relative to the others; 1 unless told otherwise. */
  readonly weight: number
  readonly load: Load
}

/** Chooses a worker, or nobody for now: then the connection waits. Synchronous, total, never throws; candidates are ready and have room. */
export interface Policy {
  /** The name that `balancer explain`, configs in JSON and metrics use, such as `least-in-flight`. */
  readonly name: string
  pick(candidates: readonly Candidate[], head: RequestHead): Candidate | undefined
  /** May a later request on this connection stay with the worker that holds it? Left out: yes. */
  stays?(worker: Candidate, head: RequestHead): boolean
}

/** A policy as a plain function. */
export type PolicyFunction = (candidates: readonly Candidate[], head: RequestHead) => Candidate | undefined
