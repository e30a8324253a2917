// A pool: the workers that run one app, which of them are candidates now, and the connections that wait for one.

import { type Owners, readClock } from '@switchyard/handoff'
import { beginsSession, type Candidate, leastInFlight, type RequestHead } from '@switchyard/routing'
import { DurationCounts } from '../counts/duration-counts.ts'
import { FrozenCandidate, FrozenCandidates, type PoolCandidate } from '../decisions/frozen-candidates.ts'
import type { PoolSettings } from '../settings.ts'
import type { ChoiceWay } from '../status.ts'
import { PoolWorker } from '../supervisor/pool-worker.ts'
import type { SupervisedPool } from '../supervisor/supervised-pool.ts'
import { KeptConnections } from './kept-connections.ts'
import { Queue, type WaitFor } from './queue.ts'

/** A loop that has been in one turn for this long is stuck: its unclaimed hand-offs may start sooner elsewhere. */
export const STUCK_MS = 2

/**
 * Where a connection comes from when it is placed: its client, another primary that has no worker for it, a worker that could not receive it, a worker that
 * was stuck, or the queue.
 */
export type Origin = 'client' | 'passed' | 'returned' | 'recalled' | 'queue'

/** After this wait a connection is offered to a busy loop whose turns are alike, however few others wait. */
const AHEAD_AFTER_MS = 10
/** After this wait it is offered to any busy loop that has no other offer. It is recalled when another loop turns idle. */
const ANY_LOOP_AFTER_MS = 250

/**
 * What `choose` finds: a worker; what the connection has to wait for; or nobody, when the pool has no worker and none is starting. `seen`: the candidates
 * as they were, valid until the next choice of the pool; undefined: choices are not recorded.
 */
export type Choice =
  | {
      readonly kind: 'worker'
      readonly worker: PoolWorker
      readonly by: ChoiceWay
      readonly seen: readonly FrozenCandidate[] | undefined
    }
  | { readonly kind: 'wait'; readonly waitFor: WaitFor }
  | { readonly kind: 'nobody' }

/** A choice that found a worker. */
export type FoundWorker = Extract<Choice, { kind: 'worker' }>

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
  pick(candidates: readonly PoolCandidate[], head: RequestHead): unknown
  home?(head: RequestHead): { slot: number; generation: number; firm: boolean } | undefined
}

/** What a pool shares with the others. */
export interface PoolOptions {
  /** Checks the descriptors that wait here. Left out: they are not checked. */
  readonly owners?: Owners | undefined
  /** Left out: choices are never recorded. */
  readonly recording?: { readonly isOn: boolean } | undefined
}

export class Pool implements SupervisedPool {
  settings: PoolSettings
  readonly queue: Queue
  /** How long connections have waited in the queue. */
  readonly queueWaits = new DurationCounts()
  readonly keptConnections = new KeptConnections(this)
  /** All processes of this pool that are not gone. */
  readonly workers = new Set<PoolWorker>()
  /** When the next worker starts, if a start is due. It decides the Retry-After of a refused client. */
  nextStartMs: number | undefined
  /** Counts of workers that are gone: claimed connections, recalled connections, and impossible load values. */
  readonly past = { claimed: 0, takenBack: 0, boardFaults: 0 }
  /** The ready workers that may have connections. */
  private serving: PoolWorker[] = []
  private ready: PoolWorker[] = []
  /** Draining workers that still get the visitors whose ticket names them. */
  private draining: PoolWorker[] = []
  private ejected: ReadonlySet<PoolWorker> = new Set()
  private slots: number[] = []
  /** Numbers of the listeners that the app of this pool has asked for. */
  private listeners: readonly number[] = []
  /** The listeners for which at least one worker has no server, so it can't have connections that come by them. */
  private partial: ReadonlySet<number> = new Set()
  /** Chooses for a request that can't wait, because another worker forwards it. */
  private readonly otherwise = leastInFlight()
  private readonly subscribers = new Set<object>()
  private readonly recording: PoolOptions['recording']
  private readonly frozen = new FrozenCandidates()

  constructor(settings: PoolSettings, { owners, recording }: PoolOptions = {}) {
    this.settings = settings
    this.recording = recording
    this.queue = new Queue(settings.queueLimit, settings.queueTimeoutMs, owners)
  }

  /** The workers that may have connections, whether they have room or not. */
  get candidates(): readonly PoolWorker[] {
    return this.serving
  }

  get readyCount(): number {
    return this.ready.length
  }

  /** Has this slot a ready worker? */
  isHeld(slot: number): boolean {
    return this.slots.includes(slot)
  }

  /** Applies the settings of a reload. */
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

  /** Adds up the counts of a worker that is gone. `takenBack`: hand-offs that it had not claimed. */
  recordGone({ channel, load, recalled }: PoolWorker, takenBack: number): void {
    this.past.claimed += channel.claimed
    this.past.boardFaults += load.faults
    this.past.takenBack += takenBack + recalled
  }

  /** Finds the candidates again: the state of a worker has changed. */
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
    // The workers know the new list before the primary chooses by it.
    for (const worker of this.workers) worker.link.sendReadySlots(slots)
  }

  /** The servers of its workers have changed. `listeners`: numbers of all listeners that its app has asked for. */
  listensOn(listeners: readonly number[]): void {
    this.listeners = listeners
    this.refresh()
  }

  /** Is the worker ejected, because it fails more than the others? */
  isEjected(worker: PoolWorker): boolean {
    return this.ejected.has(worker)
  }

  /** These workers get nothing new until the next call. */
  eject(workers: ReadonlySet<PoolWorker>): void {
    if (workers.size === this.ejected.size && [...workers].every((worker) => this.ejected.has(worker))) return
    this.ejected = workers
    this.refresh()
  }

  /** Has any candidate an idle loop? */
  get hasFree(): boolean {
    return this.open.some(({ load }) => load.isFree)
  }

  /** Is there a candidate with a busy loop that will take another connection soon? */
  get takesNext(): boolean {
    return this.turnsNext(this.open, 0, undefined) !== undefined
  }

  /** Has each worker signal its next loop turn, once. Returns whether a loop is idle already. `subscriber` identifies the subscription. */
  subscribeTurns(subscriber: object): boolean {
    this.subscribers.add(subscriber)
    let isFree = false
    for (const { load } of this.ready) isFree = load.requestNotice() || isFree
    return isFree
  }

  unsubscribeTurns(subscriber: object): void {
    if (!this.subscribers.delete(subscriber) || this.subscribers.size > 0) return
    for (const { load } of this.ready) load.cancelNotice()
  }

  /** Retry-After of a refused client, in whole seconds: until the next start of a worker, if one is due. */
  get retryAfterS(): number {
    return Math.max(1, Math.ceil(((this.nextStartMs ?? 0) - Date.now()) / 1000))
  }

  /** From this many waiting connections on, the first one is offered ahead to a busy loop. */
  get aheadFrom(): number {
    return this.serving.length + 1
  }

  /** Do so many connections wait that no worker runs out of work before the next poll? */
  get isSaturated(): boolean {
    return this.queue.waitingForLoop >= this.aheadFrom
  }

  /**
   * Chooses a worker for this request: by the policy among the candidates, or why there is none. A recalled connection does not go to a stuck loop. A connection
   * in a long queue may go to a loop that is busy for a known time. `listener`: the number of the listener that accepted the connection.
   */
  choose(policy: PoolPolicy, head: RequestHead, origin: Origin = 'client', listener?: number, waitedMs = 0): Choice {
    const recalled = origin === 'recalled'
    const ready = this.servingOf(this.ready, listener)
    // No ready worker has a server for this listener: the connection waits aside and holds nothing up.
    if (ready.length === 0 && this.ready.length > 0) return WAIT_FOR.home
    const all = this.servingOf(this.open, listener)
    const leaving = this.servingOf(this.draining, listener)
    if (leaving.length > 0 && policy.home !== undefined) {
      // A visitor whose ticket names a draining worker stays with it to its end. Its websockets and engine.io sessions begin with another worker: the
      // draining one is closing them.
      const home = policy.home(head)
      const worker = home && leaving.find(({ slot, generation }) => slot === home.slot && generation === home.generation)
      if (worker !== undefined && (home?.firm === true || !beginsSession(head)))
        return worker.channel.hasRoom ? chosen(worker, 'draining', this.freeze(leaving)) : WAIT_FOR.home
    }
    if (all.length !== ready.length && policy.home !== undefined) {
      // A worker is full. The session that an id names exists in that worker only, so the connection waits for it.
      const home = policy.home(head)
      if (home?.firm === true && ready.some((worker) => worker.slot === home.slot && !all.includes(worker))) return WAIT_FOR.home
    }
    readClock()
    const seen = this.freeze(all)
    const open: readonly PoolCandidate[] = seen ?? all
    const candidates = recalled ? open.filter(({ load }) => load.isFree || load.busyMs < STUCK_MS) : open
    const picked = workerOf(policy.pick(candidates, head))
    if (picked !== undefined) return chosen(picked, 'policy', seen)
    if (candidates.length > 0 && policy.waitsForLoop !== true) return recalled ? WAIT_FOR.recalled : WAIT_FOR.policy
    const next = recalled || origin === 'queue' ? workerOf(this.turnsNext(open, waitedMs, seen)) : undefined
    if (next !== undefined) return chosen(next, 'ahead', seen)
    if (recalled) return WAIT_FOR.recalled
    return ready.length > 0 || this.hasStarting() ? WAIT_FOR.loop : NOBODY
  }

  /** For a stream of HTTP/2 that every worker may serve. `pick` finds one among those that have room and a server for this listener. */
  chooseSpread(listener: number, pick: (open: readonly PoolWorker[]) => PoolWorker | undefined): FoundWorker | undefined {
    const open = this.servingOf(this.open, listener)
    readClock()
    const seen = this.freeze(open)
    const worker = pick(open)
    return worker && chosen(worker, 'spread', seen)
  }

  /** The workers that have a server for this listener. */
  private servingOf(workers: readonly PoolWorker[], listener: number | undefined): readonly PoolWorker[] {
    return listener !== undefined && this.partial.has(listener) ? workers.filter((worker) => worker.listeners.has(listener)) : workers
  }

  /**
   * Chooses for a request that can neither wait in the queue nor go to another primary. When all loops are busy it is the worker with the fewest requests in flight;
   * when all workers drain it is one of those, which serve to their end.
   */
  chooseNow(policy: PoolPolicy, head: RequestHead, listener?: number): Choice {
    const choice = this.choose(policy, head, 'client', listener)
    if (choice.kind === 'worker' || (choice.kind === 'wait' && choice.waitFor !== 'loop')) return choice
    const workers = this.servingOf(choice.kind === 'wait' ? this.open : this.draining, listener)
    const seen = this.freeze(workers)
    const worker = workerOf(this.otherwise.pick(seen ?? workers, head))
    return worker === undefined ? choice : chosen(worker, 'otherwise', seen)
  }

  /** Copies the workers while choices are recorded. */
  private freeze(workers: readonly PoolWorker[]): readonly FrozenCandidate[] | undefined {
    return this.recording?.isOn === true ? this.frozen.take(workers) : undefined
  }

  /** The candidates that have room for one more connection. */
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
   * Picks a busy loop for the first connection of the queue, while more connections wait than there are loops: the loop then has its next request before the primary
   * hears that it turned. The loop's turns must be alike, because behind a turn of unknown length others could overtake the connection for long. A loop that its own
   * kept-alive connections keep busy never turns idle, so a connection that has waited for some time is offered to a busy loop in any case.
   */
  private turnsNext(
    open: readonly PoolCandidate[],
    waitedMs: number,
    seen: readonly FrozenCandidate[] | undefined,
  ): PoolCandidate | undefined {
    if (this.queue.waitingForLoop + 1 < this.aheadFrom && waitedMs < AHEAD_AFTER_MS) return undefined
    if (seen !== undefined) for (const { load } of seen) load.copyNext()
    return soonest(open, waitedMs)
  }

  private hasStarting(): boolean {
    for (const worker of this.workers) if (worker.state === 'starting') return true
    return false
  }
}

function chosen(worker: PoolWorker, by: ChoiceWay, seen: readonly FrozenCandidate[] | undefined): FoundWorker {
  return { kind: 'worker', worker, by, seen }
}

/** The worker that was picked, itself or as a copy. Undefined: a user's own policy may return anything. */
function workerOf(picked: unknown): PoolWorker | undefined {
  if (picked instanceof PoolWorker) return picked
  return picked instanceof FrozenCandidate ? picked.worker : undefined
}

/** The busy loop that probably turns next, for a connection that has waited for `waitedMs`. */
export function soonest<C extends Pick<Candidate, 'slot'> & Pick<PoolCandidate, 'load'>>(
  open: readonly C[],
  waitedMs: number,
): C | undefined {
  let next: C | undefined
  let soonestMs = Number.MAX_VALUE
  for (const candidate of open) {
    const { nextInMs, onTheWay, busyMs, connections } = candidate.load
    const inMs = waitedMs >= ANY_LOOP_AFTER_MS && onTheWay === 0 ? Math.min(nextInMs, busyMs) : nextInMs
    if (inMs > soonestMs || (inMs === soonestMs && next !== undefined && connections >= next.load.connections)) continue
    next = candidate
    soonestMs = inMs
  }
  return next
}
