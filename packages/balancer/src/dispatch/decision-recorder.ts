// Counts each choice of a worker, and records it with its candidates while decisions are recorded.

import type { Arrival } from '@switchyard/handoff'
import type { RequestHead } from '@switchyard/routing'
import type { DecisionOrigin } from '../decisions/decision.ts'
import type { DecisionLog } from '../decisions/decision-log.ts'
import type { RefusalReason } from '../events.ts'
import type { Destination } from './bound-routes.ts'
import type { FoundWorker, Origin } from './pool.ts'

type Placed = Pick<Arrival, 'head' | 'source'>

const NO_CANDIDATES = [] as const

export class DecisionRecorder {
  /** undefined: choices are counted only. */
  private readonly log: DecisionLog | undefined

  constructor(log?: DecisionLog) {
    this.log = log
  }

  get isOn(): boolean {
    return this.log?.isOn === true
  }

  /** The connection is handed off. */
  chosen(placed: Placed, origin: Origin, destination: Destination, choice: FoundWorker, waitedMs: number): void {
    destination.choices.ways[choice.by]++
    if (this.isOn) this.record(placed.head, originOf(placed, origin), destination, choice, undefined, waitedMs)
  }

  /** A worker asked where a request belongs, because its connection can't move. `stayed`: it is the chosen one itself, and the stream would have been spread. */
  asked(head: RequestHead, origin: 'forwarded' | 'stayed', destination: Destination, choice: FoundWorker): void {
    destination.choices.ways[choice.by]++
    if (this.isOn) this.record(head, origin, destination, choice, undefined, 0)
  }

  refused(placed: Placed, origin: Origin, destination: Destination, reason: RefusalReason, waitedMs: number): void {
    if (this.isOn) this.record(placed.head, originOf(placed, origin), destination, undefined, reason, waitedMs)
  }

  private record(
    head: RequestHead,
    origin: DecisionOrigin,
    { route, pool, policy }: Destination,
    choice: FoundWorker | undefined,
    refused: RefusalReason | undefined,
    waitedMs: number,
  ): void {
    this.log?.record({
      timeMs: Date.now(),
      route,
      pool: pool.settings.name,
      isProxy: pool.settings.upstream !== undefined,
      policy: policy.name,
      origin,
      waitedMs,
      key: policy.key?.(head),
      worker: choice?.worker,
      by: choice?.by,
      refused,
      candidates: choice?.seen ?? NO_CANDIDATES,
    })
  }
}

function originOf({ source = 'client' }: Placed, origin: Origin): DecisionOrigin {
  return origin === 'client' || origin === 'queue' ? source : origin
}
