// What the balancer tells of itself at one moment: plain data, for the admin page, the metrics and the log. Counts never fall while the balancer lives.

import type { ChannelKind, ForwardReason, GiveBackReason } from '@switchyard/handoff'
import type { Load } from '@switchyard/routing'
import type { RefusalReason } from './events.ts'

export type WorkerState = 'starting' | 'ready' | 'draining' | 'gone'

/** One process in one seat. While a worker is replaced, two of these may share a slot. */
export interface WorkerStatus {
  slot: number
  generation: number
  pid: number
  state: WorkerState
  /** How often this seat was filled again since the balancer started; the same for every process in the seat. */
  restarts: number
  load: Load
  /** Hand-offs that this process received; a replacement begins at 0. */
  handOffs: number
}

export interface PoolStatus {
  name: string
  /** Workers that take connections now. */
  ready: number
  /** Workers that the config asks for. */
  desired: number
  /** Looks at which a worker said of its load what can't be. */
  boardFaults: number
  workers: WorkerStatus[]
}

/** `accepted + givenBack = handedOff + sum of refused + closed + sum of waiting`, at every moment. */
export interface ConnectionStatus {
  accepted: number
  /** Come back from a worker, because the next request belongs elsewhere; or from another primary, in an upgrade. */
  givenBack: number
  /** To workers that claimed them, or, in an upgrade, to another primary. */
  handedOff: number
  refused: Record<RefusalReason, number>
  /** Ended by the client before a worker had them. */
  closed: number
  /** In the primary now: whose head is not complete, who is idle and rests, who waits for a worker, who is offered and not claimed yet. */
  waiting: { head: number; resting: number; queue: number; offered: number }
}

/** How often requests of one route did not stay with the worker that held their connection, for one reason. */
export interface MoveStatus<Reason extends string> {
  route: string
  reason: Reason
  count: number
}

/** Whoever can tell it: the balancer. */
export interface StatusSource {
  status(): BalancerStatus
}

export interface BalancerStatus {
  /** As bound, such as `127.0.0.1:3000`, `[::]:3000` or `/run/app.sock`. */
  addresses: string[]
  /** How connections go to workers. */
  channel: ChannelKind
  accepting: boolean
  connections: ConnectionStatus
  handOffs: {
    /** Offers that a worker had not claimed when it died or stuck. */
    takenBack: number
  }
  moves: {
    /** Connections that went back to the primary with their request. */
    givenBack: MoveStatus<GiveBackReason>[]
    /** Single requests of connections that could not move. */
    forwarded: MoveStatus<ForwardReason>[]
  }
  pools: PoolStatus[]
}
