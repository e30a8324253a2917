// The path of a connection through the primary, in order: it arrives with its head, is routed, a worker is picked, and it is handed off. Otherwise it waits
// in the queue of its pool or is refused. A hand-off that a stuck worker has not claimed is recalled, and what comes back from a worker is placed again.
//
// A connection has one owner at a time. It leaves its queue before it is placed, and is put back if it has to wait on. No channel calls back into placing:
// what workers return meanwhile, and the room they have, stays with the claim poller until `placeReturned`.

import { type Acceptor, type AcceptorListener, type Arrival, type Connection, listenerOf, withMoved, withWait } from '@switchyard/handoff'
import type { Policy } from '@switchyard/routing'
import type { RefusedClients } from '../attackers/refused-clients.ts'
import type { RefusalReason } from '../events.ts'
import type { ListenerAnswers } from '../listeners/listener-answers.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { ActiveRoutes, Destination } from './bound-routes.ts'
import type { ClaimPoller } from './claim-poller.ts'
import { noOthers, type OtherPrimaries } from './other-primaries.ts'
import type { PathRecords } from './path-records.ts'
import type { Origin, Pool } from './pool.ts'
import type { Queued } from './queue.ts'
import type { QueueRunner, Wait } from './queue-runner.ts'
import type { Recall } from './recall.ts'

export interface DispatcherOptions {
  readonly acceptor: Acceptor
  readonly routes: ActiveRoutes
  readonly claims: ClaimPoller
  readonly queues: QueueRunner
  readonly recall: Recall
  readonly refusedClients?: Pick<RefusedClients, 'isOn' | 'refuses'> | undefined
  readonly answers?: Pick<ListenerAnswers, 'answer'> | undefined
  readonly records: Pick<PathRecords, 'recorder' | 'badHeads'>
}

export class Dispatcher implements AcceptorListener {
  others: OtherPrimaries = noOthers // set once, by the balancer
  private readonly options: DispatcherOptions
  private isPlacingReturned = false

  constructor(options: DispatcherOptions) {
    this.options = options
  }

  /** A connection arrives with its head. Connections that already wait for its pool go first. */
  onArrival(arrival: Arrival, origin: Origin = 'client'): void {
    const { acceptor, routes, queues, answers, records, refusedClients } = this.options
    const answer = answers?.answer(arrival.head, listenerOf(arrival.tag))
    if (answer !== undefined) return acceptor.respond(arrival.fd, answer)
    if (arrival.source === 'client' && refusedClients?.isOn() === true) {
      const { fd, tag, head } = arrival
      if (refusedClients.refuses(listenerOf(tag), head.remoteAddress, performance.now())) return acceptor.refuse(fd, 'client-refused')
    }
    if (origin === 'client' && routes.refuses(arrival)) {
      records.badHeads.recordAmbiguous(arrival.head)
      return acceptor.refuse(arrival.fd, 'ambiguous-head')
    }
    const destination = routes.destination(arrival)
    if (destination.pool.queue.waitingForLoop > 0) queues.runForLoop(destination.pool)
    const wait = this.place(arrival, origin, destination, 0)
    if (wait !== undefined) queues.add(wait, arrival)
    this.placeReturned()
  }

  /** A batch of arrivals is over: hand-offs are sent, and while every pool is saturated the next arrivals may wait in the kernel. */
  onBatchEnd(): void {
    this.options.claims.flush()
    const ms = this.options.queues.holdOffMs
    if (ms > 0) this.options.acceptor.holdOff(ms)
  }

  /** Picks a worker for a connection and hands it off. Undefined: the connection is no longer the caller's; otherwise it has to wait. */
  private place(arrival: Arrival, origin: Origin, destination: Destination, waitedMs: number): Wait | undefined {
    const { fd, tag, head } = arrival
    const { pool, policy } = destination
    const { recorder } = this.options.records
    const { others } = this
    if (origin === 'client' && others.isSharing && others.passBack(arrival, pool, policy)) return
    const choice = pool.choose(policy, head, origin, listenerOf(tag), waitedMs)
    if (choice.kind === 'worker') {
      if (!this.handOff(arrival, origin, choice.worker, policy)) return { pool, waitFor: 'loop' }
      return void recorder.chosen(arrival, origin, destination, choice, waitedMs)
    }
    if (others.isPassing && (choice.kind === 'nobody' || choice.waitFor !== 'home')) {
      this.unwatch(fd, origin)
      return void others.passOn(arrival)
    }
    if (choice.kind === 'wait') return { pool, waitFor: choice.waitFor }
    recorder.refused(arrival, origin, destination, 'no-worker', waitedMs)
    return void this.options.acceptor.refuse(fd, 'no-worker', pool.retryAfterS)
  }

  /** Offers the connection to the worker. False: the channel has no room. */
  private handOff(arrival: Arrival, origin: Origin, worker: PoolWorker, policy: Policy): boolean {
    if (!worker.channel.offer(arrival, policy.binds?.(arrival.head) ?? true)) return false
    this.unwatch(arrival.fd, origin)
    this.options.claims.touch(worker)
    // A full channel may have claims that were not polled yet.
    if (!worker.channel.hasRoom) this.options.claims.poll(worker)
    return true
  }

  /** After a hand-off another process has a copy of the descriptor, and the kernel would go on reporting the client's hang-up here. */
  private unwatch(fd: number, origin: Origin): void {
    if (origin === 'queue' || origin === 'recalled') this.options.acceptor.unwatchHangUp(fd)
  }

  // ---- It waits in a queue ----

  onQueued(fd: number): void {
    this.options.acceptor.watchHangUp(fd)
  }

  placeQueued({ arrival, waitFor, sinceMs }: Queued): Wait | undefined {
    const origin = waitFor === 'recalled' ? 'recalled' : 'queue'
    const waitedMs = Date.now() - sinceMs
    // The worker is told of the wait.
    arrival.tag = withWait(arrival.tag, waitedMs)
    return this.place(arrival, origin, this.options.routes.destination(arrival), waitedMs)
  }

  refuseQueued(pool: Pool, { arrival, sinceMs }: Queued, reason: Extract<RefusalReason, 'queue-full' | 'queue-timeout'>): void {
    const { acceptor, routes } = this.options
    const { recorder } = this.options.records
    if (recorder.isOn) recorder.refused(arrival, 'queue', routes.destination(arrival), reason, Date.now() - sinceMs)
    acceptor.refuse(arrival.fd, reason, pool.retryAfterS)
  }

  /** The client of a queued connection has hung up. */
  onHangUp(fd: number): void {
    if (this.options.queues.remove(fd)) this.options.acceptor.drop(fd)
  }

  // ---- It comes back ----

  /** A worker gives back a connection whose next request belongs elsewhere, or another primary passes one. */
  onGivenBack(connection: Connection, origin?: Origin, expectsProxy?: boolean): void {
    const arrival = this.options.acceptor.receiveBack(connection, expectsProxy)
    if (arrival === undefined) return
    if (origin === undefined) arrival.tag = withMoved(arrival.tag)
    this.onArrival(arrival, origin)
  }

  /** Places a connection that was recalled or could not be received. Its head is read afresh: the client may have hung up. */
  readmit(connection: Connection, origin: 'recalled' | 'returned'): void {
    const { acceptor, routes, queues } = this.options
    const arrival = acceptor.readmit(connection)
    if (arrival === undefined) return
    const wait = this.place(arrival, origin, routes.destination(arrival), 0)
    if (wait !== undefined) queues.add(wait, arrival)
  }

  /** Places what the claim poller has collected: connections that came back, and for workers with room again what is queued. */
  placeReturned(): void {
    if (this.isPlacingReturned) return
    this.isPlacingReturned = true
    const { claims, queues } = this.options
    while (claims.hasNews) {
      for (const connection of claims.takeReturned()) this.readmit(connection, 'returned')
      for (const pool of claims.takeRoomy()) queues.run(pool)
    }
    this.isPlacingReturned = false
  }

  /** The claims of all workers have been polled. */
  onPolled(slow: readonly PoolWorker[]): void {
    const { recall, routes } = this.options
    for (const worker of slow) recall.record(routes.poolOf(worker), worker)
    recall.relieveAll(this.placeRecalled)
    this.placeReturned()
  }

  /** The loop of a worker has turned, and a connection waits for that. */
  onTurned(worker: PoolWorker): void {
    const pool = this.options.routes.poolOf(worker)
    this.options.claims.poll(worker)
    this.options.recall.relieve(pool, this.placeRecalled)
    this.options.queues.runForLoop(pool)
    this.placeReturned()
  }

  private readonly placeRecalled = (connection: Connection): void => this.readmit(connection, 'recalled')
}
