// The path of a connection through the primary: it arrives with its head, is routed, a worker is picked, and it is handed off; or it waits in a queue, or is
// refused, or comes back from a worker and is placed again.
//
// A connection is in one place at a time. What waits is taken out of its queue before it is placed, and is put back if it has to wait on. While one is being placed
// its worker's channel may say that it has room again, or give other connections back: that is noted, and acted on when the placing is over.

import {
  type Acceptor,
  type Arrival,
  type Connection,
  HERE,
  LATER,
  listenerOf,
  NOBODY,
  type Question,
  type Verdict,
} from '@switchyard/handoff'
import { type Policy, RequestHead } from '@switchyard/routing'
import type { Destination } from './bound-routes.ts'
import { ClaimPoller } from './claim-poller.ts'
import type { Origin, Pool } from './pool.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { Queued } from './queue.ts'
import { QueueRunner, type Waits } from './queue-runner.ts'
import { Recall } from './recall.ts'

/** The primaries before and after this one, while an upgrade is under way. */
export interface OtherPrimaries {
  /** Might a connection be the old primary's? */
  readonly isSharing: boolean
  /** Passes the connection of a visitor that a worker of the old primary knows. False: it is still the caller's. */
  passBack(arrival: Arrival, pool: Pool, policy: Policy): boolean
  /** Does what no worker of this primary is to have go to the new primary? */
  readonly isPassing: boolean
  passOn(connection: Connection): void
}

export interface DispatcherParts {
  readonly acceptor: Acceptor
  /** Could the app read this head in a way that leads to another route? */
  readonly refuses: (head: RequestHead) => boolean
  /** Pool and policy of what came with this head by this listener. */
  readonly destination: (head: RequestHead, listener: number) => Destination
  readonly pools: () => Iterable<Pool>
  readonly poolOf: (worker: PoolWorker) => Pool
  readonly others: () => OtherPrimaries
}

const HOLD_OFF_MS = 1
/** Behind a queue of so many times the connections that could be taken from it at once, those that come are not missed for longer. */
const LONG_QUEUE = 32
const LONG_HOLD_OFF_MS = 10

export class Dispatcher {
  private readonly parts: DispatcherParts
  private readonly acceptor: Acceptor
  private readonly claimPoller: ClaimPoller
  private readonly waiting: QueueRunner
  private readonly recall: Recall
  /** Came back while a connection was being placed. */
  private readonly returned: Connection[] = []
  /** A worker of these has room again. */
  private readonly roomy = new Set<Pool>()
  private isActing = false

  constructor(parts: DispatcherParts) {
    this.parts = parts
    this.acceptor = parts.acceptor
    this.claimPoller = new ClaimPoller({
      onReturned: (connection) => this.returned.push(connection),
      onRoom: (worker) => this.roomy.add(parts.poolOf(worker)),
      onUnclaimed: (worker) => this.recall.record(parts.poolOf(worker), worker),
      onPolled: () => {
        this.recall.relieveAll()
        this.act()
      },
      signalsTurns: (worker) => parts.poolOf(worker).isSaturated,
    })
    this.recall = new Recall({ place: (connection) => this.admit(connection, 'recalled') })
    this.waiting = new QueueRunner({
      pools: parts.pools,
      refuse: (pool, fd, reason) => this.acceptor.refuse(fd, reason, pool.retryAfterS),
      place: (queued) => this.placeQueued(queued),
      watch: (fd) => this.acceptor.watchHangUp(fd),
      flush: () => this.claimPoller.flush(),
    })
  }

  /** A connection has its head. First in, first out: what waits for its pool goes before it. */
  onArrival(arrival: Arrival, origin: Origin = 'client'): void {
    if (origin === 'client' && this.parts.refuses(arrival.head)) return this.acceptor.refuse(arrival.fd, 'ambiguous-head')
    const destination = this.destinationOf(arrival)
    const { pool } = destination
    if (pool.queue.waitingForLoop > 0) this.waiting.placeForLoop(pool)
    const waits = this.place(arrival, origin, destination)
    if (waits !== undefined) this.waiting.add(waits, arrival)
    this.act()
  }

  private destinationOf({ head, tag }: Arrival): Destination {
    return this.parts.destination(head, listenerOf(tag))
  }

  /** Picks a worker for a connection and hands it off. Undefined: it is the caller's no more; else what it has to wait for. */
  private place(arrival: Arrival, origin: Origin, { pool, policy }: Destination, waitedMs = 0): Waits | undefined {
    const { fd, tag, head } = arrival
    const others = this.parts.others()
    if (origin === 'client' && others.isSharing && others.passBack(arrival, pool, policy)) return
    const choice = pool.choose(policy, head, origin, listenerOf(tag), waitedMs)
    if (typeof choice === 'string') {
      if (others.isPassing && choice !== 'home') {
        this.unwatch(fd, origin)
        others.passOn(arrival)
        return
      }
      if (choice !== 'nobody') return { pool, waitFor: choice }
      this.acceptor.refuse(fd, 'no-worker', pool.retryAfterS)
      return
    }
    if (!choice.channel.offer(arrival, policy.binds?.(head) ?? true)) return { pool, waitFor: 'loop' }
    this.unwatch(fd, origin)
    this.claimPoller.touch(choice)
    // A window that is full may only not have been looked at.
    if (!choice.channel.hasRoom) this.claimPoller.settle(choice)
    return
  }

  /** A connection that was taken back is looked at afresh: its client may have hung up. */
  private admit(connection: Connection, origin: Origin): void {
    const arrival = this.acceptor.readmit(connection)
    const waits = arrival && this.place(arrival, origin, this.destinationOf(arrival))
    if (arrival !== undefined && waits !== undefined) this.waiting.add(waits, arrival)
  }

  private placeQueued({ arrival, waitFor, sinceMs }: Queued): Waits | undefined {
    return this.place(arrival, waitFor === 'recalled' ? 'recalled' : 'queue', this.destinationOf(arrival), Date.now() - sinceMs)
  }

  /** The worker or another primary has its own copy of the descriptor: the kernel would go on telling of its client. */
  private unwatch(fd: number, origin: Origin): void {
    if (origin === 'queue' || origin === 'recalled') this.acceptor.unwatchHangUp(fd)
  }

  /** Acts on what was noted while connections were being placed. */
  private act(): void {
    if (this.isActing) return
    this.isActing = true
    while (this.returned.length > 0 || this.roomy.size > 0) {
      for (const connection of this.returned.splice(0)) this.admit(connection, 'returned')
      for (const pool of this.roomy) {
        this.roomy.delete(pool)
        this.waiting.place(pool)
      }
    }
    this.isActing = false
  }

  // ---- What else happens to connections ----

  /** A batch of arrivals is over. */
  onArrivalsEnd(): void {
    this.claimPoller.flush()
    const ms = this.mayHoldOffMs
    if (ms > 0) this.acceptor.holdOff(ms)
  }

  /** Where every connection that comes has to wait, whatever its route, many are taken in at once: that takes less of the processor that the workers need. */
  private get mayHoldOffMs(): number {
    let ms = LONG_HOLD_OFF_MS
    for (const pool of this.parts.pools()) {
      if (!pool.isSaturated) return 0
      if (pool.queue.waitingForLoop < pool.aheadFrom * LONG_QUEUE) ms = HOLD_OFF_MS
    }
    return ms
  }

  flush(): void {
    this.claimPoller.flush()
  }

  /** The client of a connection that waits has hung up. */
  onLeft(fd: number): void {
    if (this.waiting.remove(fd)) this.acceptor.drop(fd)
  }

  /** A worker gives back a connection whose next request belongs elsewhere, or another primary passes one. */
  takeIn(connection: Connection, origin: Origin = 'client'): void {
    const arrival = this.acceptor.receiveBack(connection)
    if (arrival !== undefined) this.onArrival(arrival, origin)
  }

  /** These waited for a pool that no route names any more. */
  placeAgain(taken: readonly Queued[]): void {
    for (const queued of taken) {
      const waits = this.placeQueued(queued)
      if (waits !== undefined) this.waiting.add(waits, queued.arrival, queued.sinceMs)
    }
    this.act()
  }

  /** The routes are others: what waits may find a worker by them. */
  placeAll(): void {
    for (const pool of this.parts.pools()) this.waiting.place(pool)
    this.act()
  }

  /** The loop of a worker has turned, and a connection waits for that. */
  onTurned(worker: PoolWorker): void {
    const pool = this.parts.poolOf(worker)
    this.claimPoller.settle(worker)
    this.recall.relieve(pool)
    this.waiting.placeForLoop(pool)
    this.act()
  }

  /** A worker asks which worker should have a request whose connection can't move. */
  onAsked(worker: PoolWorker, question: Question): void {
    worker.channel.answer(question, this.judge(worker, question))
    this.claimPoller.touch(worker)
  }

  /** The same route and policy decide as for a connection, but the worker that asks forwards the request. */
  private judge(asker: PoolWorker, { head: bytes, address, avoid, listener }: Question): Verdict {
    const head = RequestHead.read(bytes, bytes.length, bytes.length)
    // Only a lenient parser takes such a head: it may be meant for another pool than the one that asks.
    if (head.outcome !== 'complete' || head.ambiguous) return NOBODY
    head.remoteAddress = address === '' ? undefined : address
    const { pool, policy } = this.parts.destination(head, listener)
    const choice = pool.chooseNow(policy, head, listener)
    if (choice === 'nobody') return NOBODY
    if (typeof choice === 'string' || choice.id === avoid) return LATER
    return choice === asker ? HERE : choice.id
  }

  onWorkerReady(worker: PoolWorker): void {
    const pool = this.parts.poolOf(worker)
    pool.refresh()
    this.waiting.place(pool)
    this.act()
  }

  /** The servers of a worker have changed: `listeners`: numbers of all listeners that the app of its pool has asked for. */
  onServersChanged(worker: PoolWorker, listeners: readonly number[]): void {
    const pool = this.parts.poolOf(worker)
    pool.listensOn(listeners)
    this.waiting.place(pool)
    this.act()
  }

  onWorkerDraining(worker: PoolWorker): void {
    this.claimPoller.settle(worker)
    this.act()
  }

  /** What the worker had not claimed is whole: its bytes are still in the kernel, so it is routed again. Returns how many these were. */
  onWorkerGone(worker: PoolWorker): number {
    this.claimPoller.forget(worker)
    this.recall.forget(this.parts.poolOf(worker), worker)
    worker.channel.readAll()
    const back = worker.channel.takeBack()
    worker.channel.close()
    this.returned.push(...back)
    this.act()
    this.claimPoller.flush()
    return back.length
  }

  /** Takes back all that these workers have not claimed. */
  recallAll(workers: Iterable<PoolWorker>): void {
    for (const worker of workers) this.recall.all(worker)
  }

  /** Ends what waits. */
  close(): void {
    this.waiting.stop()
    this.claimPoller.stop()
    for (const pool of this.parts.pools()) for (const { arrival } of pool.queue.removeAll()) this.acceptor.drop(arrival.fd)
  }
}
