// One worker as its pool sees it: a seat, a process behind it, the channel to it, and its row of the load board. A policy sees it as a candidate.

import type { Channel, Connection, LoadRow, Question, Transport, WorkerLink } from '@switchyard/handoff'
import { type Candidate, type SlowStart, slowStartShare } from '@switchyard/routing'
import type { SessionReport, ToWorker } from '@switchyard/worker-runtime'
import type { Seat } from '../events.ts'
import type { PoolSettings } from '../settings.ts'
import type { RetireReason } from '../supervisor/plan-input.ts'
import type { ServerAddress, SpawnedProcess } from '../supervisor/workers/spawn.ts'

/** `starting` until it is up and trusted; `ready`: it may have connections; `draining`: it finishes what it has. */
export type WorkerState = 'starting' | 'ready' | 'draining' | 'gone'

/** What workers send back. */
export interface WorkerReturns {
  onGivenBack(worker: PoolWorker, connection: Connection, reason: number): void
  onAsked(worker: PoolWorker, question: Question): void
  onTurned(worker: PoolWorker): void
  onBatchEnd(): void
}

let lastId = 0

export class PoolWorker implements Candidate {
  /** Of this process; a seat has many in its time. */
  readonly id = ++lastId
  readonly pool: string
  readonly slot: number
  readonly generation: number
  readonly seatWeight: number
  /** Of its pool when it was started. */
  readonly settings: PoolSettings
  /** As this worker numbers them. */
  routeNames: readonly string[] = []
  readonly link: WorkerLink
  readonly channel: Channel
  readonly load: LoadRow
  state: WorkerState = 'starting'
  everReady = false
  /** Numbers of the listeners that it has a server for. */
  listeners: ReadonlySet<number> = new Set()
  /** Every server that its app had has closed. */
  hasClosed = false
  /** Where its app listens, once it does. */
  address: ServerAddress | undefined
  /** While it starts: since when it listens and has passed its probe. */
  upMs: number | undefined
  /** It serves, but another is to take its place. */
  retiring: RetireReason | undefined
  /** While it drains: it has said that nothing was left in it. */
  empty = false
  /** While it drains: not even what carries a ticket of its own comes to it any more. */
  sealed = false
  drained = false
  /** Hand-offs that it left unclaimed for so long that others got them. */
  recalled = 0
  /** When it came to its state. */
  sinceMs: number
  readonly startedMs: number
  stoppingMs: number | undefined
  killed = false
  process: SpawnedProcess | undefined
  /** How it is with its sessions; undefined: its app has not used any. */
  sessions: SessionReport | undefined

  /** While it starts slowly, its weight at a moment; undefined: it has the whole. */
  private slowStart: SlowStart | undefined
  private weighedAtMs = 0
  private weighed = 0

  constructor(
    transport: Transport,
    pool: string,
    slot: number,
    generation: number,
    nowMs: number,
    returns: WorkerReturns,
    settings: PoolSettings,
  ) {
    this.link = transport.openLink({
      onGivenBack: (connection, reason) => returns.onGivenBack(this, connection, reason),
      onAsked: (question) => returns.onAsked(this, question),
      onTurned: () => returns.onTurned(this),
      onBatchEnd: () => returns.onBatchEnd(),
    })
    this.channel = this.link.channel
    this.load = this.link.load
    this.pool = pool
    this.slot = slot
    this.generation = generation
    this.sinceMs = nowMs
    this.startedMs = nowMs
    this.settings = settings
    this.seatWeight = settings.weights[slot] ?? 1
    this.slowStart = settings.slowStart
  }

  /** Every pick asks each candidate, so it is reckoned once a millisecond at most, and never again when the start is over. */
  get weight(): number {
    if (this.slowStart === undefined || this.state !== 'ready') return this.seatWeight
    const nowMs = Date.now()
    if (nowMs === this.weighedAtMs) return this.weighed
    const share = slowStartShare(nowMs - this.sinceMs, this.slowStart)
    if (share === 1) this.slowStart = undefined
    this.weighedAtMs = nowMs
    this.weighed = this.seatWeight * share
    return this.weighed
  }

  get workerSlot(): Seat {
    return { pool: this.pool, slot: this.slot, generation: this.generation, pid: this.process?.pid ?? 0 }
  }

  send(message: ToWorker): void {
    if (message.switchyard === 'sessions-changed') this.link.countChange()
    this.process?.send(message)
  }
}
