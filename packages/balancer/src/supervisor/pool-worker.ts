// One worker as its pool sees it: its slot, its process, the channel to it, and its row of the load board. A policy sees it as a candidate.

import type { Channel, Connection, LoadRow, Question, Transport, WorkerLink } from '@switchyard/handoff'
import { type Candidate, type SlowStart, slowStartShare } from '@switchyard/routing'
import type { SessionReport, ToWorker, UpstreamReport, WorkerObservations } from '@switchyard/worker-runtime'
import type { Seat } from '../events.ts'
import type { PoolSettings } from '../settings.ts'
import type { PlannedWorker, RetireReason } from './plan-input.ts'
import type { ServerAddress, SpawnedProcess } from './workers/spawn.ts'

/** `starting`: until it is admitted; `ready`: it may have connections; `draining`: it finishes what it has; `gone`: its process has exited. */
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
  /** Identifies the process: a slot has many in its time. */
  readonly id = ++lastId
  readonly pool: string
  readonly slot: number
  readonly generation: number
  readonly seatWeight: number
  /** The settings of its pool when it was started. */
  readonly settings: PoolSettings
  /** The routes, as this worker numbers them. */
  routeNames: readonly string[] = []
  readonly link: WorkerLink
  readonly channel: Channel
  readonly load: LoadRow
  state: WorkerState = 'starting'
  everReady = false
  /** Numbers of the listeners for which it has a server. */
  listeners: ReadonlySet<number> = new Set()
  /** Its app has closed every server that it had. */
  hasClosed = false
  /** Where its app listens, once it does. */
  address: ServerAddress | undefined
  /** While it starts: its app has run for a while, or has sent 'ready'. */
  hasStarted = false
  saidReady = false
  /** It has done what its pool waits for, and its probes have begun. */
  hasBegun = false
  /** While it starts: since when it has listened and passed its probe. */
  upMs: number | undefined
  /** It is the first of its pool. */
  isFirst = false
  /** Why it is being replaced, while it still serves. */
  retiring: RetireReason | undefined
  /** While it drains: it has reported that nothing is left in it. */
  empty = false
  /** While it drains: even visitors whose ticket names it no longer come to it. */
  sealed = false
  drained = false
  /** Hand-offs that were recalled because it did not claim them. */
  recalled = 0
  /** When it entered its state. */
  sinceMs: number
  readonly startedMs: number
  stoppingMs: number | undefined
  killed = false
  process: SpawnedProcess | undefined
  /** Its report on sessions; undefined: its app has not used any. */
  sessions: SessionReport | undefined
  /** What it has reported for advice. */
  observed: WorkerObservations | undefined
  /** What it makes of its pool's upstream servers. undefined: it runs an app, or has not reported. */
  upstream: UpstreamReport | undefined

  /** While its weight still grows; undefined: it has its whole weight. */
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

  /** Every pick reads it of each candidate, so it is computed once a millisecond at most, and never again after the slow start. */
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

  /** Does it do one piece of work and end by itself? */
  get isOneOff(): boolean {
    return this.settings.schedule !== undefined
  }

  /** Does it pass requests to upstream servers? */
  get isProxy(): boolean {
    return this.settings.upstream !== undefined
  }

  /** As the plan sees it. `silentMs`: how long ago its loop was last seen to turn. */
  planned(silentMs: number): PlannedWorker {
    const { id, pool, slot, generation, sinceMs, upMs, hasBegun, retiring, sealed, drained, stoppingMs, killed, settings, isOneOff } = this
    const state = this.state === 'gone' ? 'draining' : this.state
    const stopTimeoutMs = killed ? undefined : settings.stopTimeoutMs
    const now = { state, hasBegun, upMs, silentMs, retiring, sealed, drained, stoppingMs }
    return { id, pool, slot, generation, sinceMs, ...now, stopTimeoutMs, isOneOff }
  }

  get workerSlot(): Seat {
    const { pool, slot, generation, process, isProxy } = this
    return { pool, slot, generation, pid: process?.pid ?? 0, ...(isProxy && { proxy: true }) }
  }

  send(message: ToWorker): void {
    if (message.switchyard === 'sessions-changed') this.link.countChange()
    this.process?.send(message)
  }
}
