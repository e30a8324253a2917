// A pool: the workers that run one app, which of them are candidates now, and who waits for one.

import { type Owners, readClock } from '@switchyard/handoff'
import { beginsSession, leastInFlight, type RequestHead } from '@switchyard/routing'
import type { PoolSettings } from '../settings.ts'
import { KeptConnections } from './kept-connections.ts'
import { PoolWorker } from './pool-worker.ts'
import { Queue, type WaitFor } from './queue.ts'

/** A loop that has been in one turn for so long is stuck: what waits for it is better off elsewhere. */
export const STUCK_MS = 2

/**
 * Where a connection comes from that is placed: from its client, from another primary that has no worker for it, from a worker that could not have it, from a worker
 * that was stuck, or from the queue.
 */
export type Origin = 'client' | 'passed' | 'returned' | 'recalled' | 'queue'

/** A connection that has waited for so long is offered to a busy loop whose turns are alike, however few others wait. */
const AHEAD_AFTER_MS = 10
/** And after so long to any busy loop that has nothing else on its way; it is recalled when another turns free. */
const ANY_LOOP_AFTER_MS = 250

/** What `choose` finds: a worker; what the connection has to wait for; or nobody, when the pool has no worker and none is starting. */
export type Choice =
  | { readonly kind: 'worker'; readonly worker: PoolWorker }
  | { readonly kind: 'wait'; readonly waitFor: WaitFor }
  | { readonly kind: 'nobody' }

/** Made once: most connections of a saturated pool wait. */
const WAIT_FOR = {
  loop: { kind: 'wait', waitFor: 'loop' },
  policy: { kind: 'wait', waitFor: 'policy' },
  home: { kind: 'wait', waitFor: 'home' },
  recalled: { kind: 'wait', waitFor: 'recalled' },
} as const
const NOBODY = { kind: 'nobody' } as const

/** What a pool needs of a policy. */
export interface PoolPolicy {
  readonly waitsForLoop?: true
  pick(candidates: readonly PoolWorker[], head: RequestHead): unknown
  home?(head: RequestHead): { slot: number; generation: number; firm: boolean } | undefined
}

export class Pool {
  settings: PoolSettings
  readonly queue: Queue
  readonly keptConnections = new KeptConnections(this)
  /** Every process of this pool that is not gone. */
  readonly workers = new Set<PoolWorker>()
  /** The next start of a worker, if one is due: what a refused client is told to wait for. */
  nextStartMs: number | undefined
  /** Of workers that are gone: connections that they claimed, and that were taken back from them, and what they said that can't be. */
  readonly past = { claimed: 0, takenBack: 0, boardFaults: 0 }
  /** Those of the ready ones that may have connections. */
  private serving: PoolWorker[] = []
  private ready: PoolWorker[] = []
  /** Who drains and still gets what carries a ticket of its own. */
  private draining: PoolWorker[] = []
  private ejected: ReadonlySet<PoolWorker> = new Set()
  private slots: number[] = []
  /** Listeners that the app of this pool has asked for. */
  private listeners: readonly number[] = []
  /** Those of them that a worker has no server for: it may have nothing that comes by them. */
  private partial: ReadonlySet<number> = new Set()
  /** For what cannot wait: a request that another worker forwards. */
  private readonly otherwise = leastInFlight()
  private readonly subscribers = new Set<object>()

  /** `owners`: of the descriptors that wait here, where they are checked. */
  constructor(settings: PoolSettings, owners?: Owners) {
    this.settings = settings
    this.queue = new Queue(settings.queueLimit, settings.queueTimeoutMs, owners)
  }

  /** The workers that may have connections, full or not. */
  get candidates(): readonly PoolWorker[] {
    return this.serving
  }

  get readyCount(): number {
    return this.ready.length
  }

  /** Has this slot a worker that is ready? */
  isHeld(slot: number): boolean {
    return this.slots.includes(slot)
  }

  /** A reload has brought other settings. */
  configure(settings: PoolSettings): void {
    this.settings = settings
    this.queue.configure(settings.queueLimit, settings.queueTimeoutMs)
  }

  add(worker: PoolWorker): void {
    this.workers.add(worker)
    worker.link.sendReadySlots(this.slots)
    this.keptConnections.sendTo(worker)
  }

  remove(worker: PoolWorker): void {
    this.workers.delete(worker)
    this.refresh()
  }

  /** A worker's state has changed. */
  refresh(): void {
    this.ready = [...this.workers].filter((worker) => worker.state === 'ready').sort((one, other) => one.slot - other.slot)
    this.serving = this.ready.filter((worker) => worker.retiring !== 'hang' && !this.ejected.has(worker) && !worker.hasClosed)
    this.draining = [...this.workers].filter((worker) => worker.state === 'draining' && !worker.sealed && worker.retiring !== 'hang')
    this.partial = new Set(
      this.listeners.filter((number) => ![...this.ready, ...this.draining].every((worker) => worker.listeners.has(number))),
    )
    const slots = [...new Set(this.ready.map(({ slot }) => slot))]
    if (slots.length === this.slots.length && slots.every((slot, index) => slot === this.slots[index])) return
    this.slots = slots
    // Before anybody is chosen by the new list, every worker judges by it.
    for (const worker of this.workers) worker.link.sendReadySlots(slots)
  }

  /** The servers of its workers have changed. `listeners`: numbers of all that its app has asked for. */
  listensOn(listeners: readonly number[]): void {
    this.listeners = listeners
    this.refresh()
  }

  /** Does it get nothing for a while, because it fails more than the others? */
  isEjected(worker: PoolWorker): boolean {
    return this.ejected.has(worker)
  }

  /** From now on these get nothing new. */
  eject(workers: ReadonlySet<PoolWorker>): void {
    if (workers.size === this.ejected.size && [...workers].every((worker) => this.ejected.has(worker))) return
    this.ejected = workers
    this.refresh()
  }

  /** Is there a candidate whose loop waits? */
  get hasFree(): boolean {
    return this.open.some(({ load }) => load.isFree)
  }

  /** Is there a candidate whose loop is busy, and likely to take one more soon? */
  get takesNext(): boolean {
    return this.turnsNext(this.open, 0) !== undefined
  }

  /** `who` wants to be told when the loop of a worker turns: each tells once, so ask again for more. True: one has turned already. */
  subscribeTurns(who: object): boolean {
    this.subscribers.add(who)
    let isFree = false
    for (const { load } of this.ready) isFree = load.want() || isFree
    return isFree
  }

  unsubscribeTurns(who: object): void {
    if (!this.subscribers.delete(who) || this.subscribers.size > 0) return
    for (const { load } of this.ready) load.unwant()
  }

  /** How long a client that was refused should wait, in whole seconds: until the next start of a worker, if one is due. */
  get retryAfterS(): number {
    return Math.max(1, Math.ceil(((this.nextStartMs ?? 0) - Date.now()) / 1000))
  }

  /** So many connections must wait behind one before it is offered ahead to a busy loop. */
  get aheadFrom(): number {
    return this.serving.length + 1
  }

  /** Do so many wait that no worker runs out of work before the next look? */
  get isSaturated(): boolean {
    return this.queue.waitingForLoop >= this.aheadFrom
  }

  /**
   * The worker that should have this request: the policy's choice among the candidates, or why there is none. A connection that was recalled does not go to a stuck
   * loop; one that waits in a long queue may go to a loop that is busy for a known time. `listener`: by which the connection came.
   */
  choose(policy: PoolPolicy, head: RequestHead, origin: Origin = 'client', listener?: number, waitedMs = 0): Choice {
    const recalled = origin === 'recalled'
    const ready = this.servingOf(this.ready, listener)
    // Only a worker without a server for it is there: it waits aside, and nothing behind it.
    if (ready.length === 0 && this.ready.length > 0) return WAIT_FOR.home
    const all = this.servingOf(this.open, listener)
    const leaving = this.servingOf(this.draining, listener)
    if (leaving.length > 0 && policy.home !== undefined) {
      // Visitors of the generation before are known by their ticket, and stay with their worker to its end. It has told their websockets and their
      // sessions of socket.io goodbye: they begin anew with another.
      const home = policy.home(head)
      const worker = home && leaving.find(({ slot, generation }) => slot === home.slot && generation === home.generation)
      if (worker !== undefined && (home?.firm === true || !beginsSession(head)))
        return worker.channel.hasRoom ? chosen(worker) : WAIT_FOR.home
    }
    if (all.length !== ready.length && policy.home !== undefined) {
      // Somebody is full. What a session id names exists nowhere else, so it is waited for.
      const home = policy.home(head)
      if (home?.firm === true && ready.some((worker) => worker.slot === home.slot && !all.includes(worker))) return WAIT_FOR.home
    }
    readClock()
    const candidates = recalled ? all.filter(({ load }) => load.isFree || load.busyMs < STUCK_MS) : all
    const picked = policy.pick(candidates, head)
    if (picked instanceof PoolWorker) return chosen(picked)
    if (candidates.length > 0 && policy.waitsForLoop !== true) return recalled ? WAIT_FOR.recalled : WAIT_FOR.policy
    const next = recalled || origin === 'queue' ? this.turnsNext(all, waitedMs) : undefined
    if (next !== undefined) return chosen(next)
    if (recalled) return WAIT_FOR.recalled
    return ready.length > 0 || this.hasStarting() ? WAIT_FOR.loop : NOBODY
  }

  /** Those that have a server for what comes by a listener. */
  private servingOf(workers: readonly PoolWorker[], listener: number | undefined): readonly PoolWorker[] {
    return listener !== undefined && this.partial.has(listener) ? workers.filter((worker) => worker.listeners.has(listener)) : workers
  }

  /**
   * The same for a request that can't wait in the queue, nor go to another primary: when all loops are busy, the worker with the fewest in flight; when all are about to leave,
   * one of those, which serve to their end.
   */
  chooseNow(policy: PoolPolicy, head: RequestHead, listener?: number): Choice {
    const choice = this.choose(policy, head, 'client', listener)
    if (choice.kind === 'worker' || (choice.kind === 'wait' && choice.waitFor !== 'loop')) return choice
    const worker = this.otherwise.pick(this.servingOf(choice.kind === 'wait' ? this.open : this.draining, listener), head)
    return worker === undefined ? choice : chosen(worker as PoolWorker)
  }

  /** The candidates of this moment: those that may have one more. */
  private get open(): readonly PoolWorker[] {
    const { serving } = this
    for (const worker of serving) if (!this.mayHaveMore(worker)) return serving.filter((one) => this.mayHaveMore(one))
    return serving
  }

  private mayHaveMore({ channel, load }: PoolWorker): boolean {
    const { concurrency } = this.settings
    return channel.hasRoom && (concurrency === Number.POSITIVE_INFINITY || load.inFlight < concurrency)
  }

  /**
   * While more connections wait than there are loops, the first is offered to a loop that is busy, so that it does not idle from the end of its turn until the primary has
   * heard of it. Only to one whose turns are alike: behind a turn of unknown length the connection could be overtaken for long. Kept-alive connections of its own can keep a
   * loop from ever waiting, so a connection that has waited for some time is offered to a busy loop in any case.
   */
  private turnsNext(open: readonly PoolWorker[], waitedMs: number): PoolWorker | undefined {
    if (this.queue.waitingForLoop + 1 < this.aheadFrom && waitedMs < AHEAD_AFTER_MS) return undefined
    let next: PoolWorker | undefined
    let soonestMs = Number.MAX_VALUE
    for (const worker of open) {
      const { nextInMs, onTheWay, busyMs } = worker.load
      const inMs = waitedMs >= ANY_LOOP_AFTER_MS && onTheWay === 0 ? Math.min(nextInMs, busyMs) : nextInMs
      if (inMs > soonestMs || (inMs === soonestMs && next !== undefined && worker.load.connections >= next.load.connections)) continue
      next = worker
      soonestMs = inMs
    }
    return next
  }

  private hasStarting(): boolean {
    for (const worker of this.workers) if (worker.state === 'starting') return true
    return false
  }
}

function chosen(worker: PoolWorker): Choice {
  return { kind: 'worker', worker }
}
