// A decision as data: which worker the primary chose for a connection or a request, among which workers, and how loaded they were.

import type { RefusalReason } from '../events.ts'
import type { ChoiceWay } from '../status.ts'

/**
 * Where the connection came from: its client; a worker that gave it back with its next request; a rest; a worker that was stuck or could not receive it;
 * another primary. `forwarded`: a worker asked for one request, because its connection can't move. `stayed`: a worker asked for a stream of HTTP/2 that is spread, and
 * has the fewest requests itself. `proxied`: a proxy worker chose an upstream server for a
 * request.
 */
export type DecisionOrigin = 'client' | 'given-back' | 'rested' | 'recalled' | 'returned' | 'passed' | 'forwarded' | 'stayed' | 'proxied'

/** A worker that could have been chosen, with its load at that moment. Times in ms. */
export interface DecisionCandidate {
  slot: number
  generation: number
  weight: number
  seatWeight: number
  inFlight: number
  connections: number
  isFree: boolean
  busyMs: number
  turnWaitMs: number
  turnMs: number
  loopLagMs: number
  utilisation: number
  latencyMs: number
  /** Until the busy loop probably takes a connection that is offered now; null: unknown, or the choice did not ask for it. */
  nextInMs: number | null
  /** Hand-offs that the worker has not received yet. */
  onTheWay: number
}

export interface Decision {
  /** Counts the decisions since recording began, from 1. */
  number: number
  /** In ms since 1970. */
  time: number
  route: string
  pool: string
  policy: string
  origin: DecisionOrigin
  /** How long the connection waited in the queue of the pool. */
  waitedMs: number
  /** The key that binds the request, hashed; null: it has none. */
  key: { kind: string; hash: string } | null
  /** The slots are those of proxy workers, see worker-name.ts. Left out: they are not. */
  proxy?: boolean | undefined
  /** null: no worker was chosen. */
  worker: { slot: number; generation: number } | null
  by: ChoiceWay | null
  /** Why the connection was refused; null: it was not. */
  refused: RefusalReason | null
  candidates: DecisionCandidate[]
  /** Further candidates that were not recorded. */
  omitted: number
}
