// What the balancer tells of itself at one moment: plain data, for the admin page, the metrics and the log. Counts never fall while the balancer lives.

import type { ChannelKind, ForwardReason, GiveBackReason, LoadDetails } from '@switchyard/handoff'
import type { Load } from '@switchyard/routing'
import type { SessionReport } from '@switchyard/worker-runtime'
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
  /** Why another is to take its place; null: none is. */
  retiring: string | null
  /** It fails more than the others, and gets nothing for a while. */
  ejected: boolean
  /** For how long it has been in this state. */
  inStateMs: number
  /** While it drains: until it is cut off. */
  drainLeftMs: number | null
  load: Load
  /** Hand-offs that this process received; a replacement begins at 0. */
  handOffs: number
  /** Requests that this process began, and those of them that it failed: with a 5xx, or by breaking off. */
  begun: number
  failed: number
  /** What it tells once a second; null: it has not yet. */
  details: LoadDetails | null
  /** How it is with its sessions; null: its app has not used any. */
  sessions: SessionReport | null
}

export interface PoolStatus {
  name: string
  /** Workers that take connections now. */
  ready: number
  /** Workers that are wanted: what the config says, or `scale` or `autoscale` since. */
  desired: number
  /** The generation that is wanted. */
  generation: number
  /** Is a reload under way? */
  reloading: boolean
  /** Slots that stay empty until somebody asks for them. */
  held: number[]
  /** Slots whose workers have failed too often. */
  broken: number[]
  /** How long nobody has served while every slot is broken; null: it is not so. One slot after the other is tried again. */
  outageMs: number | null
  /** Slots whose worker could not be started when that was last tried. `times` in a row; `retryInMs` null: it is not tried again by itself. */
  notStarted: { slot: number; message: string; times: number; retryInMs: number | null }[]
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

/** Sessions in the memory of the primary. `kept`, `bytes` and `tombstones` are of this moment, the others count since the start. */
export interface SessionTableStatus {
  kept: number
  /** Of all texts. */
  bytes: number
  /** Of those that were destroyed a short while ago. */
  tombstones: number
  /** Gone because there was no room. */
  evicted: number
  /** Gone because nobody has used them. */
  expired: number
  /** Tombstones that went too early, because there was no room. */
  tombstonesDropped: number
}

/** Visitors who are known by a cookie of the app's own. `kept` is of this moment, the others count since the start. */
export interface VisitorStatus {
  kept: number
  /** Of whom workers have told for the first time. */
  learned: number
  /** Whose slot had no worker any more when another gave them their cookie again. */
  moved: number
  /** Forgotten because there were too many. */
  evicted: number
  /** Forgotten because they did not come any more. */
  expired: number
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
  /** false: a pool is in an outage that its `onOutage` wants to be seen as the end, by `/livez`. */
  live: boolean
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
  visitors: VisitorStatus
  /** null: they are in Redis. */
  sessions: SessionTableStatus | null
  pools: PoolStatus[]
}
